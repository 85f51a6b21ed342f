//! The comparison itself: pure, a function a promise.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{Claim, Told, plain_id, seat_key};
use super::findings::{Findings, Promise};
use super::provider::Payment;
use super::replica::{Order, Replica};

/// All that was collected.
pub struct Evidence<'a> {
    /// What clients were told.
    pub claims: &'a [Claim],
    /// What nodes hold.
    pub replicas: &'a [Replica],
    /// What was charged; `None` when the provider was not asked.
    pub payments: Option<&'a [Payment]>,
}

/// One replica, made easy to ask.
struct Books<'a> {
    orders: BTreeMap<String, &'a Order>,
    /// Every sale: (seat if it has a number, order).
    sales: Vec<(Option<String>, String)>,
    /// Places sold to each order.
    sold_to: BTreeMap<String, u64>,
}

impl<'a> Books<'a> {
    fn open(replica: &'a Replica) -> Self {
        let orders = replica.groups.iter().flat_map(|group| &group.orders);
        let orders = orders
            .map(|order| (plain_id(&order.order_id), order))
            .collect();
        let sections = replica.groups.iter().flat_map(|group| &group.sections);
        let sales: Vec<_> = sections
            .flat_map(|section| {
                section
                    .sold_seats
                    .iter()
                    .map(|sale| (&section.event_id, sale))
            })
            .map(|(event, sale)| {
                let seat = sale.seat.as_ref().map(|seat| seat_key(event, seat));
                (seat, plain_id(&sale.order_id))
            })
            .collect();
        let mut sold_to = BTreeMap::new();
        for (_, order) in &sales {
            *sold_to.entry(order.clone()).or_default() += 1;
        }
        Self {
            orders,
            sales,
            sold_to,
        }
    }
}

/// Compares everything with everything; what does not fit goes to `findings`.
pub fn judge(evidence: &Evidence<'_>, findings: &mut Findings) {
    replicas_tell_the_same(evidence.replicas, findings);
    let Some(first) = evidence.replicas.first() else {
        return;
    };
    let books = Books::open(first);
    seats_are_sold_once(evidence.claims, &books, findings);
    orders_are_whole(evidence.claims, &books, findings);
    nothing_acknowledged_is_lost(evidence.claims, &books, findings);
    findings.orders_paid = books
        .orders
        .values()
        .filter(|order| order.is_paid())
        .count() as u64;
    if let Some(payments) = evidence.payments {
        charges_match_orders(evidence.claims, payments, &books, findings);
    }
}

/// P3: nodes at the same index hold the same, not only by their digests.
fn replicas_tell_the_same(replicas: &[Replica], findings: &mut Findings) {
    let Some((first, others)) = replicas.split_first() else {
        return;
    };
    for other in others {
        for (index, (ours, theirs)) in first.groups.iter().zip(&other.groups).enumerate() {
            if ours.applied == theirs.applied && ours != theirs {
                let (a, b, group) = (&first.node, &other.node, index + 1);
                let what = format!("{a} and {b} differ about group {group} at {}", ours.applied);
                findings.broken(Promise::P3, what);
            }
        }
        if first.groups.len() != other.groups.len() {
            let what = format!("{} and {} have different groups", first.node, other.node);
            findings.broken(Promise::P3, what);
        }
    }
}

/// P1: going by the replica, by the clients, and by both together.
fn seats_are_sold_once(claims: &[Claim], books: &Books<'_>, findings: &mut Findings) {
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for (seat, order) in &books.sales {
        if let Some(seat) = seat {
            owners
                .entry(seat.clone())
                .or_default()
                .insert(order.clone());
            *times.entry(seat).or_default() += 1;
        }
    }
    for claim in claims
        .iter()
        .filter(|claim| matches!(claim.told, Told::Paid { .. }))
    {
        for seat in claim.seat_keys() {
            owners
                .entry(seat)
                .or_default()
                .insert(plain_id(&claim.order));
        }
    }
    for (seat, orders) in owners {
        if orders.len() > 1 || times.get(seat.as_str()).is_some_and(|&times| times > 1) {
            findings.double_sold += 1;
            let orders: Vec<_> = orders.into_iter().collect();
            findings.broken(
                Promise::P1,
                format!("seat {seat} is sold to {}", orders.join(" and ")),
            );
        }
    }
}

/// P2: a paid order has all its places and a ticket for each; any other has none.
fn orders_are_whole(claims: &[Claim], books: &Books<'_>, findings: &mut Findings) {
    for (id, order) in &books.orders {
        let sold = books.sold_to.get(id).copied().unwrap_or_default();
        if order.is_paid() && (sold == 0 || order.tickets.len() as u64 != sold) {
            let what = format!(
                "order {id} is paid, has {sold} places, {} tickets",
                order.tickets.len()
            );
            findings.broken(Promise::P2, what);
        }
        if !order.is_paid() && !order.is_under_way() && sold > 0 {
            let phase = &order.phase;
            findings.broken(
                Promise::P2,
                format!("order {id} is {phase} and has {sold} places"),
            );
        }
    }
    for order in books
        .sold_to
        .keys()
        .filter(|order| !books.orders.contains_key(*order))
    {
        findings.broken(
            Promise::P2,
            format!("places are sold to order {order}, which nobody knows"),
        );
    }
    for claim in claims {
        let Told::Paid { tickets } = &claim.told else {
            continue;
        };
        let id = plain_id(&claim.order);
        let sold = books.sold_to.get(&id).copied().unwrap_or_default();
        let wanted = claim.places.count();
        if sold != wanted || tickets.len() as u64 != wanted {
            let what = format!(
                "order {id} was granted {wanted} places, has {sold} and {} tickets",
                tickets.len()
            );
            findings.broken(Promise::P2, what);
        }
    }
}

/// P3: every order a client was granted stands where the client was told.
fn nothing_acknowledged_is_lost(claims: &[Claim], books: &Books<'_>, findings: &mut Findings) {
    let sold: BTreeSet<(&str, &str)> = books
        .sales
        .iter()
        .filter_map(|(seat, order)| Some((seat.as_deref()?, order.as_str())))
        .collect();
    for claim in claims {
        let id = plain_id(&claim.order);
        let Some(order) = books.orders.get(&id) else {
            // Replicas need not list what ended without a sale; the door must still know it, and
            // whoever has clients' tokens asks there.
            if matches!(claim.told, Told::Paid { .. } | Told::Unknown) {
                findings.lost_acks += 1;
                findings.broken(
                    Promise::P3,
                    format!("order {id} was granted, and nobody knows it"),
                );
            }
            continue;
        };
        let expected = match claim.told {
            Told::Paid { .. } => Some(true),
            Told::Cancelled | Told::Over | Told::Held => Some(false),
            Told::Unknown => None,
        };
        if expected.is_some_and(|paid| paid != order.is_paid()) {
            findings.lost_acks += 1;
            let (told, phase) = (&claim.told, &order.phase);
            findings.broken(
                Promise::P3,
                format!("order {id}: told {told:?}, is {phase}"),
            );
        }
        if !matches!(claim.told, Told::Paid { .. }) {
            continue;
        }
        for seat in claim.seat_keys() {
            if !sold.contains(&(seat.as_str(), id.as_str())) {
                findings.lost_acks += 1;
                findings.broken(
                    Promise::P3,
                    format!("order {id} paid for {seat}, and has it not"),
                );
            }
        }
    }
}

/// P4: one charge for each paid order, of its price, and no other charge.
fn charges_match_orders(
    claims: &[Claim],
    payments: &[Payment],
    books: &Books<'_>,
    findings: &mut Findings,
) {
    let prices: BTreeMap<String, u64> = claims
        .iter()
        .map(|claim| (plain_id(&claim.order), claim.amount))
        .collect();
    let mut charged: BTreeMap<String, Vec<&Payment>> = BTreeMap::new();
    for payment in payments {
        let order = plain_id(&payment.order);
        if payment.is_charge() {
            findings.charges += 1;
            charged.entry(order).or_default().push(payment);
        } else if payment.is_open() {
            let what = format!(
                "{} for order {order} is neither taken nor let go",
                payment.id
            );
            findings.broken(Promise::P4, what);
        }
    }
    for (id, order) in books.orders.iter().filter(|(_, order)| order.is_paid()) {
        let taken: u64 = charged
            .get(id)
            .into_iter()
            .flatten()
            .map(|p| p.captured_amount)
            .sum();
        let price = prices.get(id).copied().unwrap_or(order.amount);
        if taken != price || order.amount != price {
            let amount = order.amount;
            let what = format!("order {id} costs {price}, was booked {amount}, charged {taken}");
            findings.broken(Promise::P4, what);
        }
    }
    for (id, payments) in &charged {
        if payments.len() > 1 {
            findings.broken(
                Promise::P4,
                format!("order {id} was charged {} times", payments.len()),
            );
        }
        if !books.orders.get(id).is_some_and(|order| order.is_paid()) {
            findings.broken(
                Promise::P4,
                format!("order {id} was charged and is not paid"),
            );
        }
    }
}
