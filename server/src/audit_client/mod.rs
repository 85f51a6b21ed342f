//! The audit from outside: what clients were told, what every replica holds and what the payment
//! provider took, compared with each other.
//!
//! It trusts nobody: [`claims`] is what a client heard, [`replica`] what a node says it holds,
//! [`provider`] what was charged, [`agreement`] whether nodes hold the same, [`judge`] the pure
//! comparison, a promise at a time, and [`findings`] what came of it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "looks at a cluster from outside, in real time"
)]

pub mod agreement;
pub mod claims;
pub mod fetch;
pub mod findings;
pub mod judge;
pub mod provider;
pub mod replica;

#[cfg(test)]
mod tests;

pub use claims::{Claim, Told};
pub use findings::{Findings, Promise};
pub use judge::{Evidence, judge};

use std::net::SocketAddr;
use std::time::Duration;

use crate::http_client::Target;

/// Compares running nodes (by their admin addresses) and, when given, the provider's ledger:
/// everything that can be judged without having been a client.
pub async fn audit_nodes(
    admins: &[impl Into<Target> + Clone],
    provider: Option<SocketAddr>,
    patience: Duration,
) -> Result<Findings, fetch::Error> {
    let mut findings = Findings::default();
    agreement::await_agreement(admins, patience, &mut findings).await?;
    let mut replicas = Vec::new();
    for admin in admins {
        replicas.push(fetch::replica(admin.clone()).await?);
    }
    let payments = match provider {
        Some(provider) => Some(fetch::payments(provider).await?),
        None => None,
    };
    judge(
        &Evidence {
            claims: &[],
            replicas: &replicas,
            payments: payments.as_deref(),
        },
        &mut findings,
    );
    Ok(findings)
}
