//! What must always be true of a ledger, a sentence a function.
//!
//! Debug builds and the simulator check after every command while the state is small, and now and
//! then when it is large. A broken one stops the replica: a stopped node is safe.

use std::collections::BTreeMap;

use crate::buyers::BuyerKey;
use crate::due::Due;
use crate::events::EventState;
use crate::ids::*;
use crate::ledger::Ledger;
use crate::orders::{Order, OrderState};
use crate::payments::{AttemptKey, AttemptState};
use crate::seats::{LegState, Section};

/// States up to this size are checked after every command.
const SMALL: usize = 2_000;
/// Larger ones after every so many.
const LARGE_EVERY: u64 = 1_024;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {detail}")]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What breaks it.
    pub detail: String,
}

type Check = Result<(), Violation>;

fn require(holds: bool, invariant: &'static str, detail: impl FnOnce() -> String) -> Check {
    if holds {
        Ok(())
    } else {
        Err(Violation {
            invariant,
            detail: detail(),
        })
    }
}

impl Ledger {
    /// Checks every invariant.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        self.every_place_of_a_section_is_in_exactly_one_state()?;
        self.a_held_or_pinned_or_sold_place_belongs_to_exactly_one_leg()?;
        self.a_live_order_has_its_local_legs_with_its_generation()?;
        self.a_leg_of_our_own_order_lives_no_longer_than_the_order()?;
        self.an_allowance_is_the_sum_of_the_orders_that_are_not_over()?;
        self.a_pinned_local_leg_has_a_running_payment()?;
        self.a_paid_order_is_whole_and_its_money_is_taken()?;
        self.an_order_has_at_most_one_running_payment()?;
        self.every_deadline_is_in_the_due_index()?;
        require(
            self.payments.index_is_true(),
            "the index of owed calls is true",
            String::new,
        )
    }

    /// Checks them when it is time to: see the module.
    pub(crate) fn check_now_and_then(&self) {
        let size =
            self.orders.len() + self.buyers.len() + self.payments.len() + self.seats.legs_count();
        let due = size < SMALL || self.applied.is_multiple_of(LARGE_EVERY);
        if due && let Err(violation) = self.check_invariants() {
            panic!("a ledger's invariant is broken: {violation}");
        }
    }

    fn every_place_of_a_section_is_in_exactly_one_state(&self) -> Check {
        for (state, section) in self.sections() {
            let counts = section.counts();
            let planned = state
                .plan
                .section(section.key().section)
                .map_or(0, |plan| plan.layout.capacity());
            require(
                counts.capacity() == planned,
                "every place of a section is in exactly one state",
                || format!("{:?}: {counts:?} of {planned}", section.key()),
            )?;
        }
        Ok(())
    }

    fn sections(&self) -> impl Iterator<Item = (&EventState, &Section)> + '_ {
        self.events.values().flat_map(|state| {
            self.seats
                .sections(state.plan.event)
                .map(move |section| (state, section))
        })
    }

    /// Counted from the legs' side; `seats/` keeps each seat's own state.
    fn a_held_or_pinned_or_sold_place_belongs_to_exactly_one_leg(&self) -> Check {
        let mut taken: BTreeMap<SectionKey, [u32; 3]> = BTreeMap::new();
        for leg in self.seats.legs() {
            let section = SectionKey {
                event: leg.event,
                section: leg.section,
            };
            let by_state = taken.entry(section).or_default();
            by_state[leg.state as usize] += u32::from(leg.places.count());
        }
        for (_, section) in self.sections() {
            let counts = section.counts();
            let legs = taken.remove(&section.key()).unwrap_or_default();
            require(
                legs == [counts.held, counts.pinned, counts.sold],
                "a held, pinned or sold place belongs to exactly one leg",
                || format!("{:?}: legs {legs:?}, seats {counts:?}", section.key()),
            )?;
        }
        require(taken.is_empty(), "a leg's section is known", || {
            format!("{taken:?}")
        })
    }

    fn a_live_order_has_its_local_legs_with_its_generation(&self) -> Check {
        for order in self.orders() {
            if matches!(order.state, OrderState::Refunding | OrderState::Refunded) {
                continue;
            }
            for (number, part) in order.legs.iter().enumerate() {
                let Some(generation) = part.generation().filter(|_| part.shard == self.shard)
                else {
                    continue;
                };
                let leg = self.seats.leg(order.leg_key(number));
                require(
                    leg.as_ref().is_some_and(|leg| leg.generation == generation),
                    "a live order has its local legs with its generation",
                    || format!("{} leg {number}: {leg:?}, home says {part:?}", order.id),
                )?;
            }
        }
        Ok(())
    }

    fn a_leg_of_our_own_order_lives_no_longer_than_the_order(&self) -> Check {
        for leg in self.seats.legs() {
            let key = leg.key;
            if key.order.home() != self.shard {
                continue;
            }
            let live = self.order(key.order).is_some_and(|order| {
                !matches!(order.state, OrderState::Refunding | OrderState::Refunded)
            });
            require(
                live,
                "a leg of our own order lives no longer than the order",
                || format!("{key:?}"),
            )?;
        }
        Ok(())
    }

    fn an_allowance_is_the_sum_of_the_orders_that_are_not_over(&self) -> Check {
        let mut sums: BTreeMap<BuyerKey, u32> = BTreeMap::new();
        for order in self.orders() {
            if !matches!(order.state, OrderState::Refunding | OrderState::Refunded) {
                let key = BuyerKey {
                    event: order.event,
                    buyer: order.buyer,
                };
                *sums.entry(key).or_default() += u32::from(order.places());
            }
        }
        for (key, buyer) in self.buyers.sorted() {
            let sum = sums.remove(&key).unwrap_or(0);
            require(
                sum == u32::from(buyer.places),
                "an allowance is the sum of the orders that are not over",
                || format!("{key:?}: {} taken, {sum} in orders", buyer.places),
            )?;
        }
        require(
            sums.is_empty(),
            "every buyer with an order is remembered",
            || format!("{sums:?}"),
        )
    }

    fn a_pinned_local_leg_has_a_running_payment(&self) -> Check {
        for order in self.orders().into_iter().filter(|order| order.is_local()) {
            let state = match order.state {
                OrderState::Held => LegState::Held,
                OrderState::AuthPending { .. }
                | OrderState::AuthUnknown { .. }
                | OrderState::Cancelling => LegState::Pinned,
                OrderState::Committed { .. } | OrderState::Paid => LegState::Sold,
                _ => continue,
            };
            for number in 0..order.legs.len() {
                let leg = self.seats.leg(order.leg_key(number));
                require(
                    leg.as_ref().is_some_and(|leg| leg.state == state),
                    "a local leg is held, pinned or sold as its order says",
                    || format!("{} is {:?}, leg {number} {leg:?}", order.id, order.state),
                )?;
            }
        }
        Ok(())
    }

    fn a_paid_order_is_whole_and_its_money_is_taken(&self) -> Check {
        for order in self.orders() {
            let sold = Order::is_complete;
            match order.state {
                OrderState::Paid => require(
                    sold(order)
                        && (order.amount() == 0
                            || self.attempt_state(order) == Some(AttemptState::Captured)),
                    "a paid order is whole and its money is taken",
                    || format!("{order:?}"),
                )?,
                OrderState::Committed { captured: true } => {
                    require(!sold(order), "a whole, captured order is paid", || {
                        format!("{}", order.id)
                    })?;
                }
                OrderState::Committed { captured: false } => require(
                    self.attempt_state(order) == Some(AttemptState::Capturing),
                    "a committed order owes its capture",
                    || format!("{order:?}"),
                )?,
                _ => {}
            }
        }
        Ok(())
    }

    fn attempt_state(&self, order: &Order) -> Option<AttemptState> {
        self.attempt(order.id, order.attempts)
            .map(|attempt| attempt.state)
    }

    fn an_order_has_at_most_one_running_payment(&self) -> Check {
        let mut running: BTreeMap<OrderId, u8> = BTreeMap::new();
        for (AttemptKey { order, attempt }, state) in self
            .payments
            .sorted()
            .into_iter()
            .map(|(key, attempt)| (key, attempt.state))
        {
            if !matches!(
                state,
                AttemptState::Authorizing | AttemptState::Capturing | AttemptState::Captured
            ) {
                continue;
            }
            let other = running.insert(order, attempt);
            require(
                other.is_none(),
                "an order has at most one running payment",
                || format!("{order}"),
            )?;
            require(
                self.order(order)
                    .is_some_and(|order| order.attempts == attempt && order.awaits_payment()),
                "a running payment belongs to an order that waits for it",
                || format!("{order} attempt {attempt}: {state:?}"),
            )?;
        }
        Ok(())
    }

    fn every_deadline_is_in_the_due_index(&self) -> Check {
        let mut expected = Vec::new();
        for order in self.orders() {
            expected.extend(order.deadline().map(|at| (at, Due::Order(order.id))));
        }
        for leg in self.seats.legs() {
            if leg.expires_here && leg.state == LegState::Held {
                expected.push((leg.until, Due::Leg(leg.key)));
            }
        }
        for state in self.events.values() {
            let event = state.plan.event;
            expected.extend(
                self.seats
                    .stock_due(event)
                    .map(|at| (at, Due::Stock(event))),
            );
            expected.extend(state.room_due.map(|at| (at, Due::Room(event))));
        }
        expected.sort_unstable();
        let missing = |entry: &&(Timestamp, Due)| !self.due.contains(entry.0, entry.1);
        let lost = expected.iter().find(missing);
        require(lost.is_none(), "every deadline is in the due index", || {
            format!("{lost:?}")
        })?;
        require(
            expected.len() == self.due.len(),
            "the due index has no entry without a reason",
            || format!("{} deadlines, {} entries", expected.len(), self.due.len()),
        )
    }
}
