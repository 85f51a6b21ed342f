//! Getting evidence over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::provider::Payment;
use super::replica::{Group, Replica, Section};
use crate::http_client::{self, Connection, Request, Target};

/// A big replica takes a while to describe itself.
const DEADLINE: Duration = Duration::from_secs(60);

/// Evidence that could not be got.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("http://{address}{path}: {source}")]
    Call {
        /// Whom was asked.
        address: SocketAddr,
        /// For what.
        path: String,
        /// Why not.
        source: http_client::Error,
    },
    /// Another answer than was asked for.
    #[error("http://{address}{path} answered {status}: {body}")]
    Answer {
        /// Whom was asked.
        address: SocketAddr,
        /// For what.
        path: String,
        /// HTTP status.
        status: u16,
        /// The beginning of the body, or how it is malformed.
        body: String,
    },
}

/// One group's digest on one node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Digest {
    /// Which group.
    pub group: u32,
    /// Index of the last applied entry.
    pub applied: u64,
    /// Digest of the state after it.
    pub digest: String,
}

/// One group as a node's status shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GroupStatus {
    /// Which group.
    pub group: u32,
    /// The node that leads it, if one is known.
    pub leader: Option<u64>,
    /// Its term.
    #[serde(default)]
    pub term: u64,
}

/// `GET /admin/status`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// The node.
    pub node_id: u64,
    /// Its groups.
    pub groups: Vec<GroupStatus>,
}

/// Asks for a JSON document.
pub async fn json<T: DeserializeOwned>(
    target: impl Into<Target>,
    path: &str,
    deadline: Duration,
) -> Result<T, Error> {
    let target = target.into();
    let address = target.address;
    let mut connection = Connection::new(target);
    let reply = connection
        .call(&Request::get(path), deadline)
        .await
        .map_err(|source| Error::Call {
            address,
            path: path.to_owned(),
            source,
        })?;
    let unexpected = |body: String| Error::Answer {
        address,
        path: path.to_owned(),
        status: reply.status,
        body,
    };
    if reply.status != 200 {
        let body = String::from_utf8_lossy(reply.body);
        return Err(unexpected(body.chars().take(200).collect()));
    }
    serde_json::from_slice(reply.body).map_err(|error| unexpected(error.to_string()))
}

/// A node's digests, by group.
pub async fn digests(admin: impl Into<Target>) -> Result<BTreeMap<u32, Digest>, Error> {
    let digests: Vec<Digest> = json(admin, "/admin/digests", DEADLINE).await?;
    Ok(digests
        .into_iter()
        .map(|digest| (digest.group, digest))
        .collect())
}

/// A node's digest of one group, if it has a replica of it.
pub async fn digest(admin: impl Into<Target>, group: u32) -> Result<Option<Digest>, Error> {
    let path = format!("/admin/digests?group={group}");
    let digests: Vec<Digest> = json(admin, &path, DEADLINE).await?;
    Ok(digests.into_iter().next())
}

/// A node's status.
pub async fn status(admin: impl Into<Target>, deadline: Duration) -> Result<Status, Error> {
    json(admin, "/admin/status", deadline).await
}

/// A node's whole state: every shard of it. Group 0 holds the catalogue and no seats.
pub async fn replica(admin: impl Into<Target>) -> Result<Replica, Error> {
    let admin = admin.into();
    let mut groups = Vec::new();
    for group in digests(admin.clone())
        .await?
        .into_keys()
        .filter(|&group| group != 0)
    {
        let mut state: Group = json(
            admin.clone(),
            &format!("/admin/audit?group={group}"),
            DEADLINE,
        )
        .await?;
        state.orders.sort_by(|a, b| a.order_id.cmp(&b.order_id));
        state.sections.iter_mut().for_each(Section::normalize);
        groups.push(state);
    }
    Ok(Replica {
        node: admin.address.to_string(),
        groups,
    })
}

/// Everything the provider ever did.
pub async fn payments(provider: SocketAddr) -> Result<Vec<Payment>, Error> {
    #[derive(Deserialize)]
    struct Ledger {
        payments: Vec<Payment>,
    }
    let ledger: Ledger = json(provider, "/v1/ledger", DEADLINE).await?;
    Ok(ledger.payments)
}
