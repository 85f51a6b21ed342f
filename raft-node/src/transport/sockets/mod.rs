//! Sockets under the transport: a port. In production they are TCP, secured where the node has
//! certificates; the simulator has a network of its own.

#[cfg(not(madsim))]
#[path = "tcp.rs"]
mod imp;
#[cfg(madsim)]
#[path = "simulated.rs"]
mod imp;

pub(crate) use imp::{caller, connect, serve};
