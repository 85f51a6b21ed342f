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

use std::error::Error;
use std::io;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotConnected {
    /// In words.
    pub(crate) text: String,
    /// Nobody listens there: no process, or not that one.
    pub(crate) refused: bool,
}

impl NotConnected {
    /// With all causes: a certificate's fault is the innermost.
    pub(crate) fn because(error: &(dyn Error + 'static)) -> Self {
        let (mut text, mut refused) = (error.to_string(), is_refusal(error));
        let mut cause = error.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            refused |= is_refusal(inner);
            cause = inner.source();
        }
        Self { text, refused }
    }
}

impl From<String> for NotConnected {
    fn from(text: String) -> Self {
        let refused = false;
        Self { text, refused }
    }
}

fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
