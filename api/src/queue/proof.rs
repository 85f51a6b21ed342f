//! `GET /api/v1/queue/proof`: what shows a person that they were in the draw and where they had to
//! come out. Under 2 KB; `usher verify-draw` checks it.

use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// A proof; hashes in hexadecimal.
#[derive(Serialize, ToSchema)]
pub struct ProofAnswer {
    /// The event.
    pub event_id: String,
    /// The person, as the ledger knows them: 32 hexadecimal digits.
    pub buyer: String,
    /// Their index in the roster, from 0.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub index: u64,
    /// People in the draw.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub n: u64,
    /// Root of the roster's Merkle tree.
    pub root: String,
    /// Sibling hashes from their leaf up to the root.
    pub path: Vec<String>,
    /// The draw's seed.
    pub seed: String,
    /// Their position, from 0.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    pub position: u64,
}

/// The proof of one's place in the draw. The bearer token is the queue token.
#[utoipa::path(get, path = "/api/v1/queue/proof", tag = "queue",
    responses((status = 200, body = ProofAnswer), (status = "4XX", body = crate::openapi::ProblemBody)),
    security(("queue_token" = [])))]
pub async fn proof(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<axum::Json<ProofAnswer>, Problem> {
    let ticket = super::ticket(&state, &headers)?;
    let record = state.event(ticket.event)?;
    let found = state.read(record.plan.rules.room_shard, |ledger, _| {
        let room = ledger.room(ticket.event)?;
        let draw = room.drawn()?;
        Some((draw.people, draw.root, draw.seed, room.proof(ticket.index)))
    })?;
    let (people, root, seed, proof) = found.ok_or_else(|| {
        Problem::new(Code::NotDrawnYet, "the draw comes with the opening").retry_after_s(5)
    })?;
    let proof = proof.ok_or_else(|| {
        Problem::new(
            Code::NotDrawnYet,
            "this place came after the draw: its position is its index",
        )
    })?;
    Ok(axum::Json(ProofAnswer {
        event_id: text::id(ticket.event.0),
        buyer: text::hex(&ticket.buyer.0.to_be_bytes()),
        index: proof.index,
        n: people,
        root: text::hex(&root),
        path: proof.path.iter().map(|hash| text::hex(hash)).collect(),
        seed: text::hex(&seed),
        position: proof.position,
    }))
}
