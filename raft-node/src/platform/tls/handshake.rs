//! Connections that are secured before a byte of what they carry is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use super::files::Tls;
use super::names::{is_named, node_name};
use super::x509;

/// How long a caller may take to show who it is.
const WITHIN: Duration = Duration::from_secs(5);

/// Who called, as its certificate says. The chain was verified; what it names was not, yet.
#[derive(Clone, Debug)]
pub struct Caller {
    certificate: Arc<CertificateDer<'static>>,
}

impl Caller {
    pub(crate) fn new(certificate: CertificateDer<'static>) -> Self {
        Self {
            certificate: Arc::new(certificate),
        }
    }

    /// Whether it is this node of this cluster.
    #[must_use]
    pub fn is_node(&self, cluster: u128, node: u64) -> bool {
        is_named(&self.certificate, &node_name(cluster, node))
    }

    /// What the certificate calls its holder, for people.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        x509::common_name(&self.certificate)
    }

    /// Whether the certificate names this.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        is_named(&self.certificate, name)
    }
}

/// A connection whose other end has shown who it is.
pub struct Secured {
    stream: tokio_rustls::server::TlsStream<TcpStream>,
    caller: Caller,
}

impl Secured {
    /// Who called.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Answers a call: refused is who has no certificate, or one that no authority of ours vouches for,
/// or takes too long.
pub async fn accept(tls: &Tls, stream: TcpStream) -> io::Result<Secured> {
    // Frames are small; waiting to fill a packet would only add latency.
    let _ = stream.set_nodelay(true);
    let acceptor = TlsAcceptor::from(tls.server());
    let shaken = tokio::time::timeout(WITHIN, acceptor.accept(stream));
    let stream = shaken
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake in time"))??;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.ok_or_else(|| io::Error::other("no certificate was shown"))?;
    let caller = Caller::new(certificate.clone());
    Ok(Secured { stream, caller })
}

impl Connected for Secured {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
