//! The accept loop: HTTP/1.1 over the shared tokio, ended gracefully.
//!
//! Our own loop rather than `axum::serve`, for three things it does not offer: a bound on the
//! time a client may take to send its headers, a bound on connections, and the renamed tokio
//! that the simulator needs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use raft_node::platform::tls::{Tls, accept};
use raft_node::watch::{self, Receiver};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::lineage::{self, WrongLineage};
use super::run::{RunError, Server};
use super::tls::admitted;

/// Connections one listener serves at once. Past it new ones wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 50_000;
/// How long a client may take to send a request's headers (slowloris).
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// How long requests under way may still take once the node stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// A bound listener that serves a router until told to stop.
pub struct HttpServer {
    listener: TcpListener,
    guard: Option<Guard>,
}

/// What becomes of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Its listeners answer.
    Serves,
    /// It finishes what is under way, hands leadership over, and ends.
    Stops,
}

/// Who is let in where certificates are asked for.
#[derive(Clone)]
pub struct Guard {
    /// What is shown, and who is trusted.
    pub tls: Arc<Tls>,
    /// Whose roles count.
    pub cluster: u128,
}

impl HttpServer {
    /// Binds an address.
    pub async fn bind(addr: SocketAddr) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(addr).await?,
            guard: None,
        })
    }

    /// Lets only those in who show a certificate, and each as far as its role goes.
    #[must_use]
    pub fn guarded(self, guard: Option<Guard>) -> Self {
        Self { guard, ..self }
    }

    /// The address, with the port the system chose for port 0.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` holds true, then lets requests under way finish.
    pub async fn run(self, router: Router, mut stop: Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let place = places.clone().acquire_owned().await.expect("never closed");
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (router, stop) = (router.clone(), stop.clone());
                        let guard = self.guard.clone();
                        connections.spawn(async move {
                            match guard {
                                None => plain(stream, router, stop).await,
                                Some(guard) => guarded(stream, &guard, router, stop).await,
                            }
                            drop(place);
                        });
                    }
                    Err(error) => {
                        // Out of file descriptors, most likely: waiting is all that helps.
                        tracing::warn!(%error, "accept failed");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
            while connections.try_join_next().is_some() {}
        }
        drop(self.listener);
        let all_done = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_WITHIN, all_done).await.is_err() {
            tracing::warn!("some requests did not finish in time and were cut off");
        }
    }
}

async fn stopped(stop: &mut Receiver<bool>) {
    stop.until(|stop| *stop).await;
}

async fn plain(stream: TcpStream, router: Router, stop: Receiver<bool>) {
    // Answers are small; waiting to fill a packet would only add latency.
    let _ = stream.set_nodelay(true);
    connection(stream, router, stop).await;
}

async fn guarded(stream: TcpStream, guard: &Guard, router: Router, stop: Receiver<bool>) {
    match accept(&guard.tls, stream).await {
        Ok(secured) => {
            let router = admitted(&router, guard.cluster, secured.caller());
            connection(secured, router, stop).await;
        }
        Err(error) => tracing::warn!(%error, "refused at the operators' port"),
    }
}

async fn connection<S>(stream: S, router: Router, mut stop: Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return log_end(ended),
        () = stopped(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    log_end(connection.await);
}

fn log_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        // A client that went away or spoke nonsense; its problem, and common under load.
        tracing::debug!(%error, "connection ended");
    }
}

impl Server {
    /// Waits until the state turns out to be one that this node's keys do not fit.
    async fn wrong_lineage(&self) -> WrongLineage {
        let client = self.node.client();
        match lineage::confirmed(&client, &self.replicas.catalogue, &self.config).await {
            Ok(()) => std::future::pending().await,
            Err(wrong) => wrong,
        }
    }

    /// Listens and serves until `stop` resolves, then drains: says so to load balancers, hands
    /// leadership over, lets requests under way finish and stops.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), RunError> {
        self.serve_telling(stop, |_| ()).await
    }

    /// The same, telling whoever looks after the process where it stands.
    pub async fn serve_telling(
        self,
        stop: impl Future<Output = ()>,
        tell: impl Fn(Turn),
    ) -> Result<(), RunError> {
        let http = bind(self.config.http).await?;
        let guard = self.tls.as_ref().map(|tls| Guard {
            tls: tls.admin.clone(),
            cluster: self.config.cluster_id.as_u128(),
        });
        let admin = bind(self.config.admin).await?.guarded(guard);
        let fresh = self.tls.as_ref().map(|tls| tokio::spawn(tls.keep_fresh()));
        let (stopping, stopped) = watch::channel(false);
        let public = tokio::spawn(http.run(self.router(), stopped.clone()));
        let private = tokio::spawn(admin.run(self.admin_router(), stopped));
        tracing::info!(
            node = self.config.node_id,
            http = %self.config.http,
            peer = %self.config.peer,
            admin = %self.config.admin,
            "serving"
        );
        tell(Turn::Serves);
        let mut refused = self.joining.refused.clone();
        let refusal = async {
            match refused.until(Option::is_some).await {
                Some(Some(reason)) => reason,
                // Nobody is left to refuse anything: it is registered.
                _ => std::future::pending().await,
            }
        };
        let failure = tokio::select! {
            biased;
            reason = refusal => Some(reason),
            failure = self.node.failed() => match failure.stuck {
                // Stopping in good order waits for what does not move.
                true => return Err(RunError::Stuck(failure.reason)),
                false => Some(failure.reason),
            },
            wrong = self.wrong_lineage() => Some(wrong.to_string()),
            () = stop => None,
        };
        tell(Turn::Stops);
        self.backend.drain();
        // First, while the door is open: requests that come meanwhile are sent on to whoever leads.
        self.node.hand_over().await;
        stopping.publish(true);
        for task in [public, private] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        if let Some(fresh) = fresh {
            fresh.abort();
        }
        self.node.shutdown().await;
        if let Some(read_model) = &self.read_model {
            read_model.stop().await;
        }
        match failure {
            Some(reason) => Err(RunError::Failed(reason)),
            None => Ok(()),
        }
    }
}

async fn bind(addr: std::net::SocketAddr) -> Result<HttpServer, RunError> {
    HttpServer::bind(addr)
        .await
        .map_err(|source| RunError::Listen { addr, source })
}
