//! The waiting room's gate: joining, asking for one's place, the public document, proofs, and the
//! check of a pass when somebody reserves.
//!
//! A poll is answered from the local replica: no consensus, no look-up beyond memory. The cursor
//! only grows, so a replica that lags refuses for a moment and never admits wrongly.

mod document;
mod gate;
mod join;
mod place;
mod proof;
mod status;
mod token;

pub use document::{DrawView, QueueDocument, QueueDocuments, document};
pub use join::{JoinAnswer, JoinQuery, Joins, join};
pub use proof::{ProofAnswer, proof};
pub use status::{StatusAnswer, status};
pub use token::{QueueTicket, QueueTokens};

pub(crate) use document::__path_document;
pub(crate) use gate::gate;
pub(crate) use join::__path_join;
pub(crate) use proof::__path_proof;
pub(crate) use status::__path_status;

use http::HeaderMap;

use crate::auth::bearer;
use crate::problem::{Code, Problem};
use crate::state::AppState;

/// The queue token that a poll carries as its bearer token.
fn ticket(state: &AppState, headers: &HeaderMap) -> Result<QueueTicket, Problem> {
    let token = bearer(headers)?;
    state
        .queue_tokens
        .verify(token)
        .ok_or_else(|| Problem::new(Code::Unauthenticated, "this is no queue token of ours"))
}
