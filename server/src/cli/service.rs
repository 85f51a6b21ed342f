//! What a service manager is told (systemd's `Type=notify` and `WatchdogSec=`): that the node serves,
//! that it stops, and, again and again, that it is alive. Nothing where no manager listens.
//!
//! The protocol is lines in a datagram (sd_notify(3)), so it is spoken here and not by a library.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::node::serve::Turn;

/// A manager that listens.
#[derive(Clone)]
pub struct Manager {
    socket: Arc<UnixDatagram>,
    /// How soon a node that says nothing counts as hung.
    patience: Option<Duration>,
}

impl Manager {
    /// The one that started this process, if it wants to be told anything.
    pub fn of_process() -> Option<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        let patience = std::env::var("WATCHDOG_USEC").ok();
        let patience = patience.and_then(|text| text.parse().ok());
        let own = std::env::var("WATCHDOG_PID").ok();
        let meant = own.is_none_or(|pid| pid == std::process::id().to_string());
        let manager = Self::at(name.as_bytes());
        let mut manager = manager
            .map_err(|error| tracing::warn!(%error, "the service manager cannot be told anything"))
            .ok()?;
        manager.patience = patience.filter(|_| meant).map(Duration::from_micros);
        Some(manager)
    }

    fn at(name: &[u8]) -> std::io::Result<Self> {
        let address = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(Self {
            socket: Arc::new(socket),
            patience: None,
        })
    }

    /// Tells where the node stands.
    pub fn tell(&self, turn: Turn) {
        self.say(match turn {
            Turn::Serves => "READY=1\nSTATUS=serving",
            Turn::Stops => "STOPPING=1\nSTATUS=handing over",
        });
    }

    fn say(&self, words: &str) {
        // A manager that is busy asks again by itself, or restarts who seems dead.
        if let Err(error) = self.socket.send(words.as_bytes()) {
            tracing::debug!(%error, "the service manager did not listen");
        }
    }

    /// Says "alive" often enough, on the threads that answer buyers: where those hang, nobody says it.
    pub fn keep_saying_alive(&self) -> Option<Pulse> {
        let every = self.patience? / 3;
        let manager = self.clone();
        Some(Pulse(tokio::spawn(async move {
            loop {
                manager.say("WATCHDOG=1");
                tokio::time::sleep(every).await;
            }
        })))
    }
}

/// A node's pulse; it stops when this is dropped.
pub struct Pulse(JoinHandle<()>);

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).expect("something was said");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[tokio::test]
    async fn a_manager_is_told_that_the_node_serves_lives_and_stops() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notify");
        let listening = UnixDatagram::bind(&path).expect("a socket");
        let mut manager = Manager::at(path.as_os_str().as_bytes()).expect("it listens");
        assert!(manager.keep_saying_alive().is_none(), "nobody asked for it");
        manager.tell(Turn::Serves);
        assert!(heard(&listening).starts_with("READY=1\n"));
        manager.patience = Some(Duration::from_millis(3));
        let pulse = manager.keep_saying_alive().expect("asked for");
        let waiting = tokio::task::spawn_blocking(move || {
            assert_eq!(heard(&listening), "WATCHDOG=1");
            assert_eq!(heard(&listening), "WATCHDOG=1");
            listening
        });
        let listening = waiting.await.expect("it was heard twice");
        drop(pulse);
        tokio::task::yield_now().await;
        listening.set_nonblocking(true).expect("a socket");
        while listening.recv(&mut [0; 256]).is_ok() {}
        manager.tell(Turn::Stops);
        assert!(heard(&listening).starts_with("STOPPING=1\n"));
        assert!(Manager::at(b"/nowhere/at/all").is_err());
    }
}
