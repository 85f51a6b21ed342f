//! The door: HTTP, the waiting room's gate, payment gateways. No domain decisions: whatever is
//! answered "yes" was decided by a log entry; what is read comes from a local replica and says so.
//!
//! | module | what |
//! |---|---|
//! | `backend` | the cluster, as a port |
//! | `routes`, `guard` | all routes; what happens around each |
//! | `events`, `queue`, `reserve`, `orders`, `tickets` | the contract, a module a noun |
//! | `history`, `routes_history` | what happened: lists and feeds from a read model |
//! | `payments` | gateways, who serves the obligations, webhooks |
//! | `auth`, `extract`, `problem`, `rejections` | who asks, what they ask, how they are refused |
//! | `metrics`, `probes`, `openapi` | for operators and for programs |

pub mod auth;
pub mod backend;
pub mod config;
pub mod events;
pub mod extract;
pub mod guard;
pub mod history;
pub mod metrics;
pub mod openapi;
pub mod orders;
pub mod payments;
pub mod probes;
pub mod problem;
pub mod queue;
pub mod rejections;
mod request_id;
pub mod reserve;
mod routes;
pub mod routes_history;
mod state;
pub mod tasks;
pub mod text;
pub mod tickets;

pub use config::ApiConfig;
pub use routes::{admin_router, router};
pub use state::{AppState, Inner};
