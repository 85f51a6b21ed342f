//! A whole sale in one process: real ledgers and a catalogue behind the door's port, a courier, a
//! clock that can be moved, a payment provider that does as it is told.

#![allow(dead_code, reason = "each test file uses its part of it")]

pub mod backend;
pub mod door;
pub mod gateway;

pub use backend::LocalBackend;
pub use door::Door;
pub use gateway::ScriptedGateway;
