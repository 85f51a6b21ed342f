//! What the door is told at start: keys and limits. Every node of a cluster is told the same keys.
//!
//! Nothing here prints itself: keys must not reach a log by accident.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The door's configuration.
#[derive(Clone)]
pub struct ApiConfig {
    /// Runs the development issuer (`POST /dev/token`). Never outside `dev` and `demo`.
    pub dev: bool,
    /// The cluster's id; part of every key sent to the payment provider.
    pub cluster: String,
    /// Who may vouch for people.
    pub issuers: Vec<Issuer>,
    /// Keys of queue tokens, newest first: the first signs, all verify.
    pub queue_keys: Vec<QueueKey>,
    /// Keys of tickets, newest first: the first signs, all are published.
    pub ticket_keys: Vec<TicketKey>,
    /// Secrets shared with the payment provider's webhooks; any of them is accepted.
    pub webhook_secrets: Vec<Vec<u8>>,
    /// Bounds.
    pub limits: Limits,
}

/// An identity provider's key. Its algorithm is fixed here and never taken from a token.
#[derive(Clone)]
pub struct Issuer {
    /// The `iss` its tokens must carry.
    pub name: String,
    /// The `kid` its tokens must carry, when they carry one.
    pub key_id: Option<String>,
    /// The key.
    pub key: IssuerKey,
}

/// A key that verifies identity tokens.
#[derive(Clone)]
pub enum IssuerKey {
    /// A shared secret (HS256), at least 32 bytes.
    Hs256(Vec<u8>),
    /// A public key (EdDSA over Ed25519).
    EdDsa([u8; 32]),
}

/// A key of queue tokens.
#[derive(Clone)]
pub struct QueueKey {
    /// Its number in the token.
    pub key_id: u8,
    /// The secret.
    pub secret: [u8; 32],
}

/// A key of tickets.
#[derive(Clone)]
pub struct TicketKey {
    /// Its name in the ticket.
    pub key_id: String,
    /// Ed25519 seed.
    pub seed: [u8; 32],
}

/// Bounds of the door.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests answered at once. Browsing is shed at half of it, polling at 70 %, joining at
    /// 85 %, reserving at all of it; payments and webhooks never.
    pub requests_max: usize,
    /// People waiting for one event's next batch of joins.
    pub joins_waiting_max: usize,
    /// Open streams of seat changes.
    pub streams_max: usize,
    /// Work that goes on after its answer was given.
    pub tasks_max: usize,
    /// How long a reservation, join or change may take.
    pub deadline: Duration,
    /// How long `pay` waits for the outcome before it answers `processing`.
    pub pay_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_max: 16_384,
            joins_waiting_max: 100_000,
            streams_max: 10_000,
            tasks_max: 16_384,
            deadline: Duration::from_secs(5),
            pay_wait: Duration::from_secs(10),
        }
    }
}

/// Name of the issuer that [`ApiConfig::from_secret`] sets up.
pub const OWN_ISSUER: &str = "usher";

impl ApiConfig {
    /// A configuration whose keys all derive from one secret of the cluster (HMAC-SHA256 with a
    /// label each), so that an operator has one thing to keep.
    pub fn from_secret(cluster: &str, secret: &[u8], dev: bool) -> Self {
        let key = |label: &str| -> [u8; 32] {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
            for part in [cluster, "\0", label] {
                mac.update(part.as_bytes());
            }
            mac.finalize().into_bytes().into()
        };
        let issuer = Issuer {
            name: OWN_ISSUER.to_owned(),
            key_id: None,
            key: IssuerKey::Hs256(key("identity").to_vec()),
        };
        Self {
            dev,
            cluster: cluster.to_owned(),
            issuers: vec![issuer],
            queue_keys: vec![QueueKey {
                key_id: 1,
                secret: key("queue/1"),
            }],
            ticket_keys: vec![TicketKey {
                key_id: "t1".to_owned(),
                seed: key("tickets/1"),
            }],
            webhook_secrets: vec![key("webhooks").to_vec()],
            limits: Limits::default(),
        }
    }
}
