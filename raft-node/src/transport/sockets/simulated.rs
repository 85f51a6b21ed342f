//! The simulator's network. Nobody shows certificates there: its links are between nodes anyway.

use tonic::Request;
use tonic::transport::{Channel, Endpoint, Server};

use super::NotConnected;
use crate::config::NodeConfig;
use crate::platform::tls::Caller;
use crate::transport::server::PeerService;

/// Connects to a node.
pub(crate) async fn connect(
    endpoint: Endpoint,
    _: &NodeConfig,
    _: u64,
) -> Result<Channel, NotConnected> {
    let connected = endpoint.connect().await;
    connected.map_err(|error| NotConnected::because(&error))
}

/// Who asks, if it had to show a certificate.
pub(crate) fn caller<T>(_: &Request<T>) -> Option<Caller> {
    None
}

/// Serves peers until told to stop, and then until their links are closed.
pub(crate) async fn serve(
    service: PeerService,
    config: &NodeConfig,
    told: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    Server::builder()
        .add_service(limited!(service))
        .serve_with_shutdown(config.listen, told)
        .await
        .map_err(|error| error.to_string())
}
