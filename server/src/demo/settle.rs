//! After the last buyer went home: waits until nothing is under way, asks what nobody answered,
//! and lets the audit compare everything.

use std::time::{Duration, Instant};

use super::buyer::{check_tickets, order_state};
use super::children::Cluster;
use super::messages::Counts;
use super::sale::{Sale, now_ms};
use crate::audit_client::{Evidence, Findings, Promise, Told, agreement, fetch, judge};
use crate::progress::Progress;

const QUIET_PATIENCE: Duration = Duration::from_secs(60);
const AGREEMENT_PATIENCE: Duration = Duration::from_secs(30);
const ROUND: Duration = Duration::from_millis(250);
/// A hold ends at most so long after its deadline (P5), and pages may be a moment old.
const HOLD_GRACE: Duration = Duration::from_secs(5);

/// Settles a sale; what was found, and how many seats are what.
pub async fn settle(
    sale: &Sale,
    cluster: &Cluster,
    places: u64,
    progress: &Progress,
) -> Result<(Findings, Counts), fetch::Error> {
    progress.say("waiting until nothing is under way");
    await_no_holds(sale).await;
    await_no_open_payments(cluster).await?;
    ask_what_nobody_answered(sale).await;
    progress.say("asking after every order that was not paid");
    let forgotten = forgotten_orders(sale).await;

    progress.say("auditing: replicas, clients' records, the provider's ledger");
    let mut findings = std::mem::take(&mut sale.books().seen);
    for order in forgotten {
        findings.lost_acks += 1;
        let what = format!("order {order} was granted, and the door does not know it");
        findings.broken(Promise::P3, what);
    }
    let admins = cluster.admins();
    agreement::await_agreement(&admins, AGREEMENT_PATIENCE, &mut findings).await?;
    let mut replicas = Vec::new();
    for &admin in &admins {
        replicas.push(fetch::replica(admin).await?);
    }
    let payments = fetch::payments(cluster.provider.address).await?;
    let claims = sale.books().claims();
    let evidence = Evidence {
        claims: &claims,
        replicas: &replicas,
        payments: Some(&payments),
    };
    judge(&evidence, &mut findings);
    let counts = sale.read_counts().await.unwrap_or_default();
    seats_add_up(counts, &replicas, places, &mut findings);
    every_ticket_verified(sale, &claims, &mut findings);
    Ok((findings, counts))
}

/// Until every hold that was left alone has ended.
async fn await_no_holds(sale: &Sale) {
    let last = sale
        .books()
        .entries()
        .iter()
        .map(|entry| entry.held_until_ms)
        .max();
    let left = last.map_or(0, |until| until - now_ms()).max(0);
    let patience = Duration::from_millis(left.unsigned_abs()) + HOLD_GRACE;
    let start = Instant::now();
    while start.elapsed() < patience {
        if sale
            .read_counts()
            .await
            .is_some_and(|counts| counts.held == 0)
        {
            return;
        }
        tokio::time::sleep(ROUND).await;
    }
}

/// Until the provider has taken or let go all money it reserved.
async fn await_no_open_payments(cluster: &Cluster) -> Result<(), fetch::Error> {
    let start = Instant::now();
    while start.elapsed() < QUIET_PATIENCE {
        let payments = fetch::payments(cluster.provider.address).await?;
        if !payments.iter().any(|payment| payment.is_open()) {
            return Ok(());
        }
        tokio::time::sleep(ROUND).await;
    }
    Ok(())
}

/// Whoever never learned the outcome of a payment asks once more.
async fn ask_what_nobody_answered(sale: &Sale) {
    let start = Instant::now();
    let unknown = |sale: &Sale| {
        let books = sale.books();
        let entries = books.entries().iter().enumerate();
        entries
            .filter(|(_, entry)| entry.claim.told == Told::Unknown)
            .map(|(index, _)| index)
            .collect::<Vec<_>>()
    };
    loop {
        let entries = unknown(sale);
        if entries.is_empty() || start.elapsed() > QUIET_PATIENCE {
            return;
        }
        for entry in entries {
            let Some(told) = order_state(sale, 0, entry).await else {
                continue;
            };
            sale.books().told(entry, told.clone());
            if let Told::Paid { tickets } = told {
                check_tickets(sale, 0, entry, &tickets).await;
            }
        }
        tokio::time::sleep(ROUND).await;
    }
}

/// Orders that their own buyers cannot find any more. A paid one is in the replicas, where the
/// audit looks.
async fn forgotten_orders(sale: &Sale) -> Vec<String> {
    let unpaid: Vec<(usize, String)> = {
        let books = sale.books();
        let entries = books.entries().iter().enumerate();
        let unpaid = entries.filter(|(_, entry)| !matches!(entry.claim.told, Told::Paid { .. }));
        unpaid
            .map(|(index, entry)| (index, entry.claim.order.clone()))
            .collect()
    };
    let mut forgotten = Vec::new();
    for (entry, order) in unpaid {
        if order_state(sale, entry % sale.doors.count(), entry)
            .await
            .is_none()
        {
            forgotten.push(order);
        }
    }
    forgotten
}

fn seats_add_up(
    counts: Counts,
    replicas: &[crate::audit_client::replica::Replica],
    places: u64,
    findings: &mut Findings,
) {
    let sum = counts.sold + counts.held + counts.available + counts.blocked;
    if sum != places || counts.capacity != places {
        let what = format!("{places} places became {sum} ({counts:?})");
        findings.broken(Promise::P1, what);
    }
    for replica in replicas {
        let sections = replica.groups.iter().flat_map(|group| &group.sections);
        let (mut sum, mut sold, mut listed) = (0, 0, 0);
        for section in sections {
            sum += section.available + section.held + section.pinned + section.sold;
            sum += section.blocked;
            sold += section.sold;
            listed += section.sold_seats.len() as u64;
        }
        if (sum, sold, listed) != (places, counts.sold, counts.sold) {
            let node = &replica.node;
            let what = format!("{node} has {sum} places, {sold} sold, {listed} sales");
            findings.broken(Promise::P1, what);
        }
    }
}

fn every_ticket_verified(
    sale: &Sale,
    claims: &[crate::audit_client::Claim],
    findings: &mut Findings,
) {
    let issued: u64 = claims
        .iter()
        .map(|claim| match &claim.told {
            Told::Paid { tickets } => tickets.len() as u64,
            _ => 0,
        })
        .sum();
    let verified = sale.books().tickets_verified;
    // Faults of single tickets were noted when they were met.
    if verified != issued && findings.held(Promise::P2) {
        findings.broken(
            Promise::P2,
            format!("{issued} tickets issued, {verified} verified"),
        );
    }
}
