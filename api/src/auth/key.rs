//! Keys of the HTTP API, for programs: `usher_<id>_<secret>`, shown in place of a token. The cluster keeps
//! a hash of each (`cluster::catalogue`); what this node's replica says of it now is what counts, so a
//! key that was revoked is refused wherever the revocation has been applied.
//!
//! Wrong keys are counted and, past so many a second, answered with 429. Right ones are never kept
//! waiting for it: nobody can lock the others out.

use std::sync::{Mutex, PoisonError};

use cluster::catalogue::{KeyId, KeyRecord, KeyRole};
use ledger::Timestamp;
use probes::Bug;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Caller, Role, person};
use crate::metrics::Kind;
use crate::problem::{Code, Problem};
use crate::state::AppState;
use crate::text;

/// How every key begins, so that scanners find one that leaked.
pub const PREFIX: &str = "usher_";
/// Wrong keys a second that are told what is wrong with them.
pub const WRONG_PER_S_MAX: u32 = 20;
/// The "issuer" of those whom a key stands for.
const ISSUER: &str = "usher key";

/// A key as its holder has it. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public half.
    pub id: KeyId,
    /// Its secret: 256 random bits.
    pub secret: [u8; 32],
}

impl ApiKey {
    /// A key from 40 random bytes.
    pub fn from_chance(chance: &[u8; 40]) -> Self {
        let (id, secret) = chance.split_at(8);
        Self {
            id: KeyId(u64::from_be_bytes(id.try_into().expect("8 bytes"))),
            secret: secret.try_into().expect("32 bytes"),
        }
    }

    /// The text its holder keeps.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, text::hex(&self.secret))
    }

    /// Reads that text.
    pub fn parse(shown: &str) -> Option<Self> {
        let (id, secret) = shown.strip_prefix(PREFIX)?.split_once('_')?;
        let key = Self {
            id: KeyId::parse(id)?,
            secret: text::parse_hex(secret)?.try_into().ok()?,
        };
        // One way to write it: no capitals.
        (key.text() == shown).then_some(key)
    }

    /// What the cluster keeps of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }
}

/// The role of a key's holder.
pub fn role(role: KeyRole) -> Role {
    match role {
        KeyRole::Organizer => Role::Organizer,
        KeyRole::Operator => Role::Operator,
        KeyRole::Gate => Role::Gate,
        KeyRole::ReadOnly => Role::ReadOnly,
    }
}

/// The role of keys that a name is for.
pub fn role_named(name: &str) -> Option<KeyRole> {
    let mut all = KeyRole::ALL.into_iter();
    all.find(|&known| role(known).name() == name)
}

/// Wrong keys of this second.
#[derive(Default)]
pub(crate) struct WrongKeys(Mutex<(u64, u32)>);

impl WrongKeys {
    /// One more; whether they are too many.
    fn too_many(&self, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.0 / 1_000;
        if seen.0 != second {
            *seen = (second, 0);
        }
        seen.1 = seen.1.saturating_add(1);
        seen.1 > WRONG_PER_S_MAX
    }
}

impl AppState {
    /// The holder of a key.
    pub(super) fn key_holder(&self, shown: &str) -> Result<Caller, Problem> {
        let now = self.backend.now();
        self.judged(shown, now).map_err(|(kind, why)| {
            self.metrics
                .keys_refused
                .get_or_create(&Kind { kind })
                .inc();
            match self.wrong_keys.too_many(now) {
                false => Problem::new(Code::Unauthenticated, why),
                true => Problem::new(Code::TooManyWrongKeys, "wait a second").retry_after_s(1),
            }
        })
    }

    fn judged(&self, shown: &str, now: Timestamp) -> Result<Caller, (&'static str, &'static str)> {
        let key = ApiKey::parse(shown).ok_or(("malformed", "the key is incomplete"))?;
        let unknown = ("unknown", "no such key");
        let record = self.backend.api_key(key.id).ok_or(unknown)?;
        if !bool::from(key.hash().ct_eq(&record.hash)) {
            return Err(unknown);
        }
        holder(key.id, &record, now)
    }
}

/// Whom a key stands for, whose secret was right.
fn holder(
    id: KeyId,
    record: &KeyRecord,
    now: Timestamp,
) -> Result<Caller, (&'static str, &'static str)> {
    if record.revoked_at.is_some() && !probes::planted(Bug::RevokedKeyOpens) {
        return Err(("revoked", "the key was revoked"));
    }
    if record
        .expires_at
        .is_some_and(|expires_at| expires_at <= now)
    {
        return Err(("expired", "the key has expired"));
    }
    Ok(Caller {
        person: person(ISSUER, &record.name),
        role: role(record.role),
        until: record.expires_at.unwrap_or(Timestamp(u64::MAX)),
        key: Some(id),
        event: record.event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_nothing_else_is_one() {
        let key = ApiKey::from_chance(&std::array::from_fn(|at| at as u8));
        let text = key.text();
        assert_eq!(text.len(), 6 + 16 + 1 + 64);
        assert!(ApiKey::parse(&text) == Some(key));
        for wrong in [
            "",
            "usher_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replace("usher_0", "usher_+"),
            &text.replace('1', "\u{661}"),
        ] {
            assert!(ApiKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_wrong_keys_of_a_second_are_bounded_and_the_next_second_begins_anew() {
        let wrong = WrongKeys::default();
        let at = |second: u64| Timestamp(second * 1_000 + 7);
        let told = (0..100).filter(|_| !wrong.too_many(at(5))).count();
        assert_eq!(told, WRONG_PER_S_MAX as usize);
        assert!(!wrong.too_many(at(6)));
    }
}
