//! The door: HTTP, the waiting room's gate, payment gateways. No domain decisions.

pub mod payments;
