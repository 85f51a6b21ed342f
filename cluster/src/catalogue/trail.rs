//! The trail: who of those that run the cluster and its sales did what, and when. It is part of the
//! replicated state, so nobody at one node can take a line out of it; a record is written by the
//! entry that makes the change, or by one before it where the change is made elsewhere (a refund, a
//! leader that moves).
//!
//! It keeps the last [`TRAIL_MAX`] records; older ones are in backups. Numbers have no gaps, so what
//! is missing is seen.

use std::collections::VecDeque;

use ledger::Timestamp;

use super::keys::KeyId;

/// Records that are kept.
pub const TRAIL_MAX: usize = 4_096;
/// Bytes of each of a record's words; what is longer is cut.
pub const WORDS_BYTES_MAX: usize = 256;

/// Somebody who changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever reached a listener that asks for no proof (loopback, no TLS).
    Unproven,
    /// The holder of a client's certificate.
    Certificate {
        /// Its common name.
        name: String,
        /// The role it names.
        role: String,
    },
    /// The holder of a key of the HTTP API.
    Key {
        /// Which.
        id: KeyId,
        /// What people call it.
        name: String,
        /// Its role.
        role: String,
    },
    /// A person whom the identity provider vouches for.
    Person {
        /// A hash of issuer and subject.
        id: u128,
        /// The token's role.
        role: String,
    },
    /// Whoever could write to a stopped node's directory.
    CommandLine,
}

/// Something somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Drawn for the request: a proposal that is repeated is the same deed.
    pub id: u128,
    /// Who.
    pub who: Who,
    /// The request's name, as in logs.
    pub request: String,
    /// What kind, for programs: `node.drain`, `sale.pause`.
    pub action: String,
    /// What exactly, for people.
    pub about: String,
}

/// A line of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailRecord {
    /// From 1, without gaps.
    pub number: u64,
    /// The system group's clock; it never goes back.
    pub at: Timestamp,
    /// What was done.
    pub deed: Deed,
}

/// The newest records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    records: VecDeque<TrailRecord>,
}

impl Trail {
    /// All that are kept, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &TrailRecord> {
        self.records.iter()
    }

    /// The number the next record will have.
    pub fn next(&self) -> u64 {
        self.records.back().map_or(1, |last| last.number + 1)
    }

    pub(super) fn from_records(records: impl IntoIterator<Item = TrailRecord>) -> Self {
        Self {
            records: records.into_iter().collect(),
        }
    }

    pub(super) fn note(&mut self, at: Timestamp, deed: &Deed) {
        if self.records().rev().any(|known| known.deed.id == deed.id) {
            return;
        }
        let last = self.records.back().map_or(Timestamp(0), |last| last.at);
        let record = TrailRecord {
            number: self.next(),
            at: at.max(last),
            deed: deed.shortened(),
        };
        if self.records.len() >= TRAIL_MAX {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }
}

impl Deed {
    fn shortened(&self) -> Self {
        let who = match &self.who {
            Who::Certificate { name, role } => Who::Certificate {
                name: cut(name),
                role: cut(role),
            },
            Who::Key { id, name, role } => Who::Key {
                id: *id,
                name: cut(name),
                role: cut(role),
            },
            Who::Person { id, role } => Who::Person {
                id: *id,
                role: cut(role),
            },
            Who::Unproven | Who::CommandLine => self.who.clone(),
        };
        Self {
            id: self.id,
            who,
            request: cut(&self.request),
            action: cut(&self.action),
            about: cut(&self.about),
        }
    }
}

/// At most so many bytes, and whole characters.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(WORDS_BYTES_MAX)].to_owned()
}
