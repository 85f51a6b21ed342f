//! Ports for nodes, from below the range that the system gives to outgoing connections: a node that
//! is killed and restarted must find its port free, and one that is about to start as well.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dice::Dice;

/// Where they come from.
pub const PORTS: Range<u16> = 21_000..31_000;

/// All that this process was given.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A loopback address with a port on which nobody listens, given to nobody else in this process; `None`
/// after a thousand that were taken.
pub fn free_address() -> Option<SocketAddr> {
    let mut dice = Dice::fresh();
    let random = |_| PORTS.start + dice.below(u64::from(PORTS.end - PORTS.start)) as u16;
    let mut given = given();
    let mut untaken = (0..1_000)
        .map(random)
        .filter(|port| !given.contains(port))
        .filter_map(if_free);
    let address = untaken.next()?;
    drop(untaken);
    given.insert(address.port());
    Some(address)
}

/// The loopback address with this port, given to nobody else from now on; `None` when somebody listens there.
pub(super) fn wanted_address(port: u16) -> Option<SocketAddr> {
    let address = if_free(port)?;
    given().insert(port);
    Some(address)
}

fn given() -> MutexGuard<'static, BTreeSet<u16>> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn if_free(port: u16) -> Option<SocketAddr> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address).is_ok().then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_that_outgoing_connections_may_have() {
        let given: Vec<u16> = (0..50)
            .map(|_| free_address().expect("a free port").port())
            .collect();
        let different: BTreeSet<u16> = given.iter().copied().collect();
        assert_eq!(different.len(), given.len());
        assert!(given.iter().all(|port| PORTS.contains(port)));
    }

    #[test]
    fn a_port_that_was_asked_for_is_given_to_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert_eq!(wanted_address(port), None);
        drop(listener);
        assert!(wanted_address(port).is_some() && given().contains(&port));
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert_eq!(if_free(port), None);
    }
}
