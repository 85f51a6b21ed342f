//! Keys of the HTTP API: who may do what with which, as hashes only. A secret has 256 random bits, so
//! one round of SHA-256 is enough: there is nothing to guess from.

use ledger::{EventId, Timestamp};

use super::Catalogue;
use super::words::{CatalogueOutcome, CatalogueReceipt, CatalogueRejection};

/// Keys that are kept, revoked ones included; of those the one revoked first gives way.
pub const KEYS_MAX: usize = 1_024;
/// Bytes of a key's name.
pub const KEY_NAME_BYTES_MAX: usize = 64;

/// A key's public half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(
    /// Drawn at random.
    pub u64,
);

impl KeyId {
    /// The id that 16 hex digits name.
    pub fn parse(text: &str) -> Option<Self> {
        // `from_str_radix` alone would take "+f".
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok();
        number.filter(|_| digits).map(Self)
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// Creates events and runs their sales.
    Organizer,
    /// Runs the cluster, and every sale.
    Operator,
    /// Looks at tickets at the entrance.
    Gate,
    /// Looks at what operators see, and changes nothing.
    ReadOnly,
}

impl KeyRole {
    /// Each.
    pub const ALL: [Self; 4] = [Self::Organizer, Self::Operator, Self::Gate, Self::ReadOnly];
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// What its holder may do.
    pub role: KeyRole,
    /// What people call it. An organizer's keys of the same name run the same events.
    pub name: String,
    /// The one event it is for.
    pub event: Option<EventId>,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Catalogue {
    pub(super) fn create_key(&mut self, key: KeyId, record: &KeyRecord) -> CatalogueOutcome {
        if let Some(known) = self.keys.get(&key) {
            let same = known.revoked_at.is_none()
                && known.hash == record.hash
                && known.role == record.role
                && known.name == record.name
                && known.event == record.event;
            return match same {
                true => Ok(CatalogueReceipt::KeyNoted { key }),
                false => Err(CatalogueRejection::KeyIdTaken),
            };
        }
        let name = record.name.as_bytes();
        let named = (1..=KEY_NAME_BYTES_MAX).contains(&name.len())
            && !record.name.chars().any(char::is_control);
        let lasts = record
            .expires_at
            .is_none_or(|expires_at| expires_at > record.created_at);
        if !named || !lasts || record.revoked_at.is_some() {
            return Err(CatalogueRejection::KeyInvalid);
        }
        if record
            .event
            .is_some_and(|event| self.event(event).is_none())
        {
            return Err(CatalogueRejection::EventUnknown);
        }
        if self.keys.len() >= KEYS_MAX {
            let revoked = self.keys.iter();
            let revoked = revoked.filter_map(|(key, known)| Some((known.revoked_at?, *key)));
            let (_, oldest) = revoked.min().ok_or(CatalogueRejection::KeysMax)?;
            self.keys.remove(&oldest);
        }
        self.keys.insert(key, record.clone());
        Ok(CatalogueReceipt::KeyNoted { key })
    }

    pub(super) fn revoke_key(&mut self, key: KeyId, at: Timestamp) -> CatalogueOutcome {
        let known = self.keys.get_mut(&key);
        let known = known.ok_or(CatalogueRejection::KeyUnknown)?;
        known.revoked_at.get_or_insert(at);
        Ok(CatalogueReceipt::KeyNoted { key })
    }
}
