//! Who dials: the node at the other end of a connection on this machine.
//!
//! Members know each other by one address each, which is replicated; so every node dials a peer
//! at the same place, and a proxy there has to find out who it is. Linux tells: the connection's
//! line in `/proc/net/tcp` names a socket, and `/proc/PID/fd` names its owner.

use std::io;
use std::net::SocketAddr;

/// Which of these processes owns the connection from port `from` to `to`; its place in `pids`.
pub fn find(from: SocketAddr, to: SocketAddr, pids: &[Option<u32>]) -> Option<usize> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = table
        .lines()
        .skip(1)
        .find_map(|line| inode(line, from.port(), to.port()))?;
    let wanted = format!("socket:[{inode}]");
    pids.iter()
        .position(|pid| pid.is_some_and(|pid| owns(pid, &wanted).unwrap_or(false)))
}

/// The socket of a line, if it is the one between these ports.
fn inode(line: &str, from: u16, to: u16) -> Option<&str> {
    let mut words = line.split_whitespace().skip(1);
    let mut port = || u16::from_str_radix(words.next()?.split_once(':')?.1, 16).ok();
    if port()? != from || port()? != to {
        return None;
    }
    words.nth(6)
}

fn owns(pid: u32, wanted: &str) -> io::Result<bool> {
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        // A descriptor may be closed while we look.
        let owned = std::fs::read_link(entry?.path());
        if owned.is_ok_and(|owned| owned.as_os_str() == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found_among_the_processes_that_may_be_it() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let there = listener.local_addr().expect("bound");
        let dialled = TcpStream::connect(there).expect("it listens");
        let here = dialled.local_addr().expect("connected");
        let me = Some(std::process::id());
        assert_eq!(find(here, there, &[None, me]), Some(1));
        assert_eq!(find(here, there, &[None, Some(1)]), None);
        drop(dialled);
    }
}
