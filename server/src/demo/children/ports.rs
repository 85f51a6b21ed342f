//! Ports for nodes, from below the range that the system gives to outgoing connections: a node that
//! is killed and restarted must find its port free.

use std::net::{SocketAddr, TcpListener};

use super::Error;
use crate::dice::Dice;

pub(super) const PORTS: std::ops::Range<u16> = 21_000..31_000;

/// Free ports, none given twice.
#[derive(Debug)]
pub(super) struct Ports {
    /// The first port given, if it is free.
    pub(super) wanted: Option<u16>,
    pub(super) taken: Vec<u16>,
}

impl Ports {
    pub(super) fn take(&mut self) -> Result<SocketAddr, Error> {
        let mut dice = Dice::fresh();
        for _ in 0..1_000 {
            let random = PORTS.start + dice.below(u64::from(PORTS.end - PORTS.start)) as u16;
            let port = self.wanted.take().unwrap_or(random);
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if !self.taken.contains(&port) && TcpListener::bind(address).is_ok() {
                self.taken.push(port);
                return Ok(address);
            }
        }
        Err(Error::NoPort)
    }
}
