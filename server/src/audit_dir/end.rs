//! Judges the state at the end of the log, over all shards together.

use std::collections::{BTreeMap, BTreeSet};

use ledger::outcome::OrderPhase;
use ledger::queue::draw::seed;
use ledger::queue::merkle::{self, Merkle};
use ledger::tickets::TicketState;
use ledger::{BuyerId, EventId, Ledger};

use super::Report;

pub(super) fn judge(ledgers: &[&Ledger], report: &mut Report) {
    tickets_and_orders(ledgers, report);
    allowances(ledgers, report);
    for ledger in ledgers {
        for event in ledger.events() {
            draw(ledger, event.plan.event, report);
        }
    }
}

/// P1, P2: one valid ticket a sold place; a paid order has one for each of its places, and a
/// ticket's order is sold. An order may be ahead of a leg by messages that are under way.
fn tickets_and_orders(ledgers: &[&Ledger], report: &mut Report) {
    let mut places = BTreeSet::new();
    let mut of_order: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for ticket in ledgers.iter().flat_map(|ledger| ledger.tickets().sorted()) {
        if ticket.state != TicketState::Valid {
            continue;
        }
        report.sold += 1;
        of_order.entry(ticket.order).or_default().insert(ticket.id);
        if let Some(seat) = ticket.seat
            && !places.insert((ticket.section, seat))
        {
            report.broken.insert((
                "P1",
                format!("{seat:?} of {:?} has two tickets", ticket.section),
            ));
        }
    }
    for order in ledgers.iter().flat_map(|ledger| ledger.orders()) {
        let valid = of_order.remove(&order.id).unwrap_or_default();
        match order.phase() {
            OrderPhase::Paid => {
                report.paid += 1;
                let own: BTreeSet<_> = order.tickets().collect();
                if own != valid || valid.len() != usize::from(order.places()) {
                    let found = format!(
                        "order {}: {} places, {} tickets",
                        order.id,
                        order.places(),
                        valid.len()
                    );
                    report.broken.insert(("P2", found));
                }
            }
            OrderPhase::Committed | OrderPhase::Refunding | OrderPhase::Refunded => {}
            _ if valid.is_empty() => {}
            phase => {
                report.broken.insert((
                    "P2",
                    format!("order {} is {phase:?} and has tickets", order.id),
                ));
            }
        }
    }
    for (order, tickets) in of_order {
        report.broken.insert((
            "P2",
            format!("{} tickets of {order}, which is no order", tickets.len()),
        ));
    }
}

/// P7: nobody has more than the event allows one person.
fn allowances(ledgers: &[&Ledger], report: &mut Report) {
    let mut taken: BTreeMap<(EventId, BuyerId), u32> = BTreeMap::new();
    for order in ledgers.iter().flat_map(|ledger| ledger.orders()) {
        if !matches!(order.phase(), OrderPhase::Refunding | OrderPhase::Refunded) {
            *taken.entry((order.event, order.buyer)).or_default() += u32::from(order.places());
        }
    }
    for ((event, buyer), places) in taken {
        let known = ledgers.iter().find_map(|ledger| ledger.event(event));
        let max = known.map_or(0, |event| u32::from(event.plan.rules.buyer_seats_max));
        if places > max {
            report.broken.insert((
                "P7",
                format!("{:032x} has {places} of {max} places", buyer.0),
            ));
        }
    }
}

/// P6: the draw is what its published ingredients say.
fn draw(ledger: &Ledger, event: EventId, report: &mut Report) {
    let Some(state) = ledger.event(event) else {
        return;
    };
    let Some((room, rules)) = ledger.room(event).zip(state.plan.rules.queue.as_ref()) else {
        return;
    };
    let Some(drawn) = room.drawn() else { return };
    let roster = &room.roster()[..drawn.people as usize];
    let mut tree = Merkle::default();
    roster
        .iter()
        .for_each(|buyer| tree.push(merkle::leaf(*buyer)));
    let seed = seed(&rules.secret, &tree.root(), drawn.people, &drawn.beacon);
    if seed != drawn.seed || tree.root() != drawn.root {
        report.broken.insert((
            "P6",
            format!("the draw of {:032x} is not its seed's", event.0),
        ));
    }
}
