//! Who is asking. People come with a bearer token of the operator's identity provider; the ledger
//! never learns more of them than a [`BuyerId`].

mod cache;
mod issue;
mod jwt;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use ledger::{BuyerId, Timestamp};
use sha2::{Digest, Sha256};

pub(crate) use issue::__path_dev_token;
pub use issue::{TokenAnswer, TokenRequest, dev_token};
pub(crate) use jwt::hmac;

use crate::config::ApiConfig;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Joins, reserves, pays.
    Buyer,
    /// Creates events and runs their sales.
    Organizer,
    /// Runs the cluster; may do what organizers may, at any event.
    Operator,
    /// Checks tickets at the entrance.
    Gate,
}

impl Role {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "buyer" => Some(Self::Buyer),
            "organizer" => Some(Self::Organizer),
            "operator" => Some(Self::Operator),
            "gate" => Some(Self::Gate),
            _ => None,
        }
    }
}

/// A caller whose token was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub person: BuyerId,
    /// In which role.
    pub role: Role,
    /// When the token ends.
    pub until: Timestamp,
}

impl Caller {
    /// Refuses everyone but buyers.
    pub fn buyer(&self) -> Result<BuyerId, Problem> {
        self.need(self.role == Role::Buyer, "this needs the role buyer")
            .map(|()| self.person)
    }

    /// Refuses everyone but organizers and operators.
    pub fn organizer(&self) -> Result<(), Problem> {
        let may = matches!(self.role, Role::Organizer | Role::Operator);
        self.need(may, "this needs the role organizer")
    }

    /// Refuses everyone but operators and the organizer who created the event.
    pub fn organizer_of(&self, event: &cluster::catalogue::EventRecord) -> Result<(), Problem> {
        self.organizer()?;
        let own = self.role == Role::Operator || event.organizer == self.person.0;
        self.need(own, "this event belongs to another organizer")
    }

    fn need(&self, may: bool, detail: &'static str) -> Result<(), Problem> {
        may.then_some(())
            .ok_or_else(|| Problem::new(Code::Forbidden, detail))
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        state.identities.verify(token, state.backend.now())
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || Problem::new(Code::Unauthenticated, "send Authorization: Bearer <token>");
    let text = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(missing)?;
    let (scheme, token) = text.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(missing())
    }
}

/// A person's id: the first 16 bytes of SHA-256(issuer, 0, subject).
pub fn person(issuer: &str, subject: &str) -> BuyerId {
    let mut hash = Sha256::new();
    hash.update(issuer.as_bytes());
    hash.update([0]);
    hash.update(subject.as_bytes());
    BuyerId(text::id_of(hash.finalize().into()))
}

/// Verifies tokens, remembering those it has verified.
pub struct Identities {
    keys: Vec<jwt::Key>,
    verified: cache::Verified,
}

impl Identities {
    /// Identities vouched for by the configured issuers.
    pub fn new(config: &ApiConfig) -> Result<Self, String> {
        let keys = config
            .issuers
            .iter()
            .map(jwt::Key::new)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            keys,
            verified: cache::Verified::default(),
        })
    }

    /// The caller a token vouches for.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Problem> {
        if let Some(caller) = self.verified.get(token, now) {
            return Ok(caller);
        }
        let caller = jwt::verify(&self.keys, token, now)
            .map_err(|why| Problem::new(Code::Unauthenticated, why))?;
        self.verified.put(token, caller);
        Ok(caller)
    }
}
