//! What the checkers look at, from real nodes: asked over the operators' routes once nothing is
//! under way any more, beside the provider's own ledger and what people were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use api::payments::ProviderState;
use server::audit_client::fetch;
use server::audit_client::provider::Payment as Entry;
use server::node::admin::{DigestView, StatusView};
use server::node::audit_view::{AuditView, SectionView};

use super::door::Doors;
use super::plan::SHARDS;
use super::sales::Sale;
use crate::checker::Evidence;
use crate::gateway::Payment;

/// A question to a node that is well.
const WITHIN: Duration = Duration::from_secs(30);

/// Phases in which an order stays.
const SETTLED: [&str; 2] = ["paid", "refunded"];

/// Whom to ask.
pub struct Witnesses<'a> {
    /// The nodes' admin listeners.
    pub admins: Vec<SocketAddr>,
    /// The provider.
    pub provider: SocketAddr,
    /// The clock.
    pub doors: &'a Doors,
}

/// The evidence, or why it is too early for it.
pub async fn gather(witnesses: &Witnesses<'_>, sales: &[Sale]) -> Result<Evidence, String> {
    let admins = &witnesses.admins;
    led(admins).await?;
    let mut digests: BTreeMap<u16, Vec<(u64, [u8; 32])>> = BTreeMap::new();
    for admin in admins {
        let views: Vec<DigestView> = ask(*admin, "/admin/digests").await?;
        for view in views {
            let digest = digest(&view.digest).ok_or("a digest is no digest")?;
            let shard = u16::try_from(view.group).map_err(|error| error.to_string())?;
            let replicas = digests.entry(shard).or_default();
            replicas.push((view.applied, digest));
        }
    }
    for (shard, replicas) in &digests {
        if replicas.len() != admins.len() || replicas.iter().any(|(at, _)| *at != replicas[0].0) {
            return Err(format!(
                "replicas of shard {shard} are at different indexes"
            ));
        }
    }
    let (mut shards, mut broken) = (BTreeMap::new(), Vec::new());
    for shard in 1..=SHARDS {
        let mut own: Option<AuditView> = None;
        for admin in admins {
            let view: AuditView = ask(*admin, &format!("/admin/audit?group={shard}")).await?;
            quiet(shard, &view)?;
            broken.extend(
                view.broken
                    .iter()
                    .map(|what| format!("shard {shard}: {what}")),
            );
            own.get_or_insert(view);
        }
        shards.insert(shard, own.ok_or("no node was asked")?);
    }
    for section in shards.values_mut().flat_map(|view| &mut view.sections) {
        let event = section.event_id.simple().to_string();
        for sold in &mut section.sold_seats {
            sold.seat = format!("{event}/{}", sold.seat);
        }
    }
    let book = fetch::payments(witnesses.provider).await;
    let book = book.map_err(|error| error.to_string())?;
    Ok(Evidence {
        yes: sales.iter().flat_map(Sale::yes).collect(),
        digests,
        shards,
        broken,
        book: book.iter().map(payment).collect::<Result<_, _>>()?,
        capacity: sales
            .iter()
            .map(|sale| sale.show.capacity + sale.show.other_capacity)
            .sum(),
        fates: Vec::new(),
        all_must_end: true,
        left_over: Vec::new(),
        changed_messages: Vec::new(),
        granted: Vec::new(),
        trails: Vec::new(),
    })
}

/// Every group has a leader that all follow, and has applied all it has.
async fn led(admins: &[SocketAddr]) -> Result<(), String> {
    let mut groups = Vec::new();
    for admin in admins {
        let status: StatusView = ask(*admin, "/admin/status").await?;
        groups.extend(status.groups);
    }
    for group in &groups {
        let number = group.group;
        let leader = groups.iter().find(|other| {
            (other.group, other.term) == (number, group.term) && other.role == "leader"
        });
        let leader = leader.ok_or_else(|| format!("group {number} has no leader"))?;
        if group.applied != leader.last_log {
            return Err(format!("group {number} has not applied everything"));
        }
    }
    Ok(())
}

/// Nothing is under way in a shard, and nothing is held: all holds have had their time.
fn quiet(shard: u16, view: &AuditView) -> Result<(), String> {
    if view.owed > 0 {
        return Err(format!("shard {shard} still owes messages or payments"));
    }
    let open = |phase: &str| !SETTLED.contains(&phase);
    let open = view.orders.iter().find(|order| open(&order.phase));
    if let Some(order) = open {
        return Err(format!("order {} is {}", order.order_id, order.phase));
    }
    let held = |section: &&SectionView| section.held + section.pinned > 0;
    match view.sections.iter().find(held) {
        Some(section) => Err(format!(
            "section {} of {} has {} held and {} pinned",
            section.section, section.event_id, section.held, section.pinned
        )),
        None => Ok(()),
    }
}

async fn ask<T: serde::de::DeserializeOwned>(admin: SocketAddr, path: &str) -> Result<T, String> {
    let answer = fetch::json(admin, path, WITHIN).await;
    answer.map_err(|error| error.to_string())
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// A line of the provider's ledger, as the checkers know payments.
fn payment(entry: &Entry) -> Result<Payment, String> {
    let state = match entry.status.as_str() {
        "authorized" => ProviderState::Authorized,
        "captured" => ProviderState::Captured,
        "cancelled" => ProviderState::Cancelled,
        "refunded" => ProviderState::Refunded,
        "declined" => ProviderState::Declined,
        other => return Err(format!("payment {} is {other:?}", entry.id)),
    };
    // How many times the whole amount moved; a part counts as once.
    let times = |moved: u64| moved.div_ceil(entry.amount.max(1));
    Ok(Payment {
        key: entry.id.clone(),
        order: entry.order.clone(),
        amount: entry.amount,
        state,
        captures: times(entry.captured_amount),
        refunds: times(entry.refunded_amount),
    })
}

#[cfg(test)]
mod tests {
    use server::node::audit_view::OrderView;

    use super::*;

    #[test]
    fn a_shard_is_quiet_when_its_orders_are_paid_or_refunded_and_not_while_one_is_under_way() {
        let with = |phase: &str| AuditView {
            orders: vec![OrderView {
                phase: phase.to_owned(),
                ..OrderView::default()
            }],
            ..AuditView::default()
        };
        for phase in SETTLED {
            assert_eq!(quiet(1, &with(phase)), Ok(()));
        }
        for phase in ["held", "paying", "refunding"] {
            assert!(quiet(1, &with(phase)).is_err(), "{phase}");
        }
    }
}
