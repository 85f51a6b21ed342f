//! Who is asking. People come with a bearer token of the operator's identity provider; the ledger
//! never learns more of them than a [`BuyerId`]. Programs of organizers, operators and gates may come
//! with a key of the cluster instead (`key`). What each role may ask for is one table (`access`).

pub mod access;
mod acting;
mod cache;
mod issue;
mod jwt;
pub mod key;

use axum::extract::FromRequestParts;
use cluster::catalogue::{EventRecord, KeyId};
use http::request::Parts;
use http::{HeaderMap, header};
use ledger::{BuyerId, EventId, Timestamp};
use sha2::{Digest, Sha256};

pub use acting::Acting;
pub(crate) use acting::RequestName;
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
    /// Looks at what operators see, and changes nothing. Keys only.
    ReadOnly,
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

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Organizer => "organizer",
            Self::Operator => "operator",
            Self::Gate => "gate",
            Self::ReadOnly => "read-only",
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
    /// The key that was shown, if it was no token.
    pub key: Option<KeyId>,
    /// The one event the key is for.
    pub event: Option<EventId>,
}

impl Caller {
    /// Refuses everyone but buyers.
    pub fn buyer(&self) -> Result<BuyerId, Problem> {
        self.need(self.role == Role::Buyer, "this needs the role buyer")
            .map(|()| self.person)
    }

    /// Refuses everyone but operators and the organizer who created the event; a key for one event
    /// opens that one.
    pub fn organizer_of(&self, event: &EventRecord) -> Result<(), Problem> {
        let own = match (self.role, self.event) {
            (Role::Operator, None) => true,
            (Role::Operator | Role::Organizer, Some(only)) => only == event.plan.event,
            (Role::Organizer, None) => event.organizer == self.person.0,
            (Role::Buyer | Role::Gate | Role::ReadOnly, _) => false,
        };
        self.need(own, "this event belongs to another organizer")
    }

    /// Refuses everyone but those who run the event, and those who may look at all that they see.
    pub fn looks_at(&self, event: &EventRecord) -> Result<(), Problem> {
        match self.role {
            Role::ReadOnly | Role::Gate => self.need(
                self.is_for(event.plan.event),
                "the key is for another event",
            ),
            _ => self.organizer_of(event),
        }
    }

    /// Refuses a key that is for one event, where no event is meant.
    pub fn unbound(&self) -> Result<(), Problem> {
        self.need(self.event.is_none(), "the key is for one event only")
    }

    fn is_for(&self, event: EventId) -> bool {
        self.event.is_none_or(|only| only == event)
    }

    fn need(&self, may: bool, detail: &'static str) -> Result<(), Problem> {
        may.then_some(())
            .ok_or_else(|| Problem::new(Code::Forbidden, detail))
    }
}

/// The guard has asked who it is, and whether the role may ask for the route at all.
impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        let asked = parts.extensions.get().copied();
        asked.ok_or_else(|| Problem::new(Code::Forbidden, "the route is open to no role"))
    }
}

impl AppState {
    /// Whoever sent these headers: a person with a token, or the holder of a key.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let shown = bearer(headers)?;
        if shown.starts_with(key::PREFIX) {
            return self.key_holder(shown);
        }
        self.identities.verify(shown, self.backend.now())
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
