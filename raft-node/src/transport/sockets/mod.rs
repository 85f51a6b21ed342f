//! Sockets under the transport: a port. In production they are TCP, secured where the node has
//! certificates; the simulator has a network of its own.

/// A service that takes no larger messages than links send. A macro, because the generated type has
/// other parameters in the simulator.
macro_rules! limited {
    ($service:expr) => {
        crate::transport::peer::peer_server::PeerServer::new($service)
            .max_decoding_message_size(crate::config::MESSAGE_BYTES_MAX)
            .max_encoding_message_size(crate::config::MESSAGE_BYTES_MAX)
    };
}

#[cfg(not(madsim))]
#[path = "tcp.rs"]
mod imp;
#[cfg(madsim)]
#[path = "simulated.rs"]
mod imp;

pub(crate) use imp::{caller, connect, serve};
