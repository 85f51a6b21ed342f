//! TCP, with mutual TLS where the node has certificates.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsConnector;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Server, Uri};

use super::NotConnected;
use crate::config::NodeConfig;
use crate::platform::tls::{Caller, Secured, Tls, accept, node_name};
use crate::tasks::Task;
use crate::transport::server::PeerService;

/// Handshakes under way at once: more callers than this wait, which costs a cluster nothing and a
/// flood much.
const HANDSHAKES_MAX: usize = 64;

/// Connects to a node, which has to prove that it is that one.
pub(crate) async fn connect(
    endpoint: Endpoint,
    config: &NodeConfig,
    node: u64,
) -> Result<Channel, NotConnected> {
    let Some(tls) = &config.tls else {
        let connected = endpoint.connect().await;
        return connected.map_err(|error| NotConnected::because(&error));
    };
    let name = node_name(config.cluster_id, node);
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(tls.client());
    let dial = move |address: Uri| {
        let (connector, name) = (connector.clone(), name.clone());
        async move {
            let at = address
                .authority()
                .map_or("", |authority| authority.as_str());
            let stream = TcpStream::connect(at).await?;
            stream.set_nodelay(true)?;
            let secured = connector.connect(name, stream).await?;
            Ok::<_, io::Error>(TokioIo::new(secured))
        }
    };
    let connected = endpoint
        .connect_with_connector(tower::service_fn(dial))
        .await;
    connected.map_err(|error| NotConnected::because(&error))
}

/// Who asks, if it had to show a certificate.
pub(crate) fn caller<T>(request: &Request<T>) -> Option<Caller> {
    request.extensions().get::<Caller>().cloned()
}

/// Serves peers until told to stop, and then until their links are closed.
pub(crate) async fn serve(
    service: PeerService,
    config: &NodeConfig,
    told: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let router = Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .initial_stream_window_size(Some(4 << 20))
        .initial_connection_window_size(Some(8 << 20))
        .add_service(limited!(service));
    let served = match &config.tls {
        None => router.serve_with_shutdown(config.listen, told).await,
        Some(tls) => {
            let listener = TcpListener::bind(config.listen).await;
            let listener = listener.map_err(|error| error.to_string())?;
            let incoming = secured(listener, tls.clone());
            router.serve_with_incoming_shutdown(incoming, told).await
        }
    };
    served.map_err(|error| NotConnected::because(&error).text)
}

/// Callers who have shown who they are, in the order in which they did.
fn secured(
    listener: TcpListener,
    tls: Arc<Tls>,
) -> impl Stream<Item = io::Result<Secured>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(HANDSHAKES_MAX);
    let accepting = Task::spawn(accept_all(listener, tls, sender));
    futures::stream::unfold(
        (receiver, accepting),
        |(mut receiver, accepting)| async move {
            let secured = receiver.recv().await?;
            Some((Ok(secured), (receiver, accepting)))
        },
    )
}

async fn accept_all(listener: TcpListener, tls: Arc<Tls>, sender: mpsc::Sender<Secured>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let place = places.clone().acquire_owned().await.expect("never closed");
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps.
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (tls, sender) = (tls.clone(), sender.clone());
        tokio::spawn(async move {
            match accept(&tls, stream).await {
                // The node stopped serving meanwhile.
                Ok(secured) => drop(sender.send(secured).await),
                Err(error) => tracing::warn!(%from, %error, "refused at the peers' port"),
            }
            drop(place);
        });
    }
}
