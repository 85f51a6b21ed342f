//! An order that two doors drive at once, through an outage of its home: the first one's holds end
//! by the legs' own clocks, because no word of the extension gets there, and the second one holds
//! the same legs again, under new numbers. Then the first one reports, and the buyer pays. A pin of
//! the first holds must not count for the second.
//!
//! Every command is one that a slow door may send.

use std::time::Duration;

use ledger::command::{HoldLeg, OpenOrder};
use ledger::outcome::HeldLeg;
use ledger::{BuyerId, Command, LegKey, OrderId, Receipt, ShardId, Timestamp};

use super::across::{Deck, Errand, nothing_told, propose_at};
use crate::door::Door;
use crate::history::Yes;

/// How long the home takes no entry: more than a leg's margin.
const OUTAGE: Duration = Duration::from_millis(4_000);
/// Longer holds than this are not waited for.
const HOLD_SECONDS_MAX: u64 = 16;
/// The second holds have to begin so much before the order's end.
const EARLY_MS: u64 = 300;

impl Errand<'_> {
    /// See the module. The order, if it came that far.
    pub(super) async fn two_doors(
        &self,
        deck: &Deck,
        buyer: BuyerId,
        seats: &[(usize, (u64, u64))],
    ) -> Option<Yes> {
        if self.client.door().scenario.hold_seconds > HOLD_SECONDS_MAX {
            return None;
        }
        // No crash is aimed at it: it has trouble enough.
        self.client.door().aimer.plan(buyer, Vec::new());
        let open = self.opening(deck, buyer, seats);
        let first = self.open(&open).await?;
        let held = self.hold(&open, first).await?;
        let away: Vec<u32> = open.legs.iter().map(|leg| leg.shard.0.into()).collect();
        let away: Vec<u32> = away
            .into_iter()
            .filter(|group| *group != u32::from(open.order.home().0))
            .collect();
        let world = self.client.door();
        world
            .faults
            .change(|rates| rates.hushed.extend(away.iter().copied()));
        let again = self.through_an_outage(&open, held).await;
        world
            .faults
            .change(|rates| rates.hushed.retain(|group| !away.contains(group)));
        self.history.note(&format!("two doors: {again:?}"));
        Some(nothing_told(open.order))
    }

    async fn through_an_outage(
        &self,
        open: &OpenOrder,
        held: Vec<HeldLeg>,
    ) -> Option<Vec<HeldLeg>> {
        let (world, order) = (self.client.door(), open.order);
        let home = u32::from(order.home().0);
        world.faults.change(|rates| rates.silenced.push(home));
        tokio::time::sleep(OUTAGE).await;
        world
            .faults
            .change(|rates| rates.silenced.retain(|group| *group != home));
        let second = self.open(open).await?;
        let record = Command::RecordHeld { order, legs: held };
        self.insist(order.home(), &record).await?;
        while !self.is_over(open) {
            let away = open.legs.iter().find(|leg| leg.shard != order.home())?;
            let (_, now) = world.home_of(OrderId::new(away.shard, 0))?;
            (now + EARLY_MS < second.0).then_some(())?;
            self.client.pause(50, 50).await;
        }
        let again = self.hold(open, second).await?;
        world.tally.count("3 two doors hold for one order");
        Some(again)
    }

    /// Whether a leg's own clock has ended the first hold.
    fn is_over(&self, open: &OpenOrder) -> bool {
        let world = self.client.door();
        let legs = open.legs.iter().enumerate();
        let mut away = legs.filter(|(_, leg)| leg.shard != open.order.home());
        away.any(|(number, leg)| {
            let leader = world.leader(leg.shard.0.into());
            let alive = leader.and_then(|leader| world.alive(leader));
            let key = LegKey {
                order: open.order,
                leg: number as u8,
            };
            alive.is_some_and(|alive| {
                let replica = &alive.replicas.ledgers[&leg.shard];
                replica.look(|ledger, _, _| ledger.seats().leg(key).is_none())
            })
        })
    }

    /// Opens the order, again too; until when it is held.
    async fn open(&self, open: &OpenOrder) -> Option<Timestamp> {
        let command = Command::OpenOrder(Box::new(open.clone()));
        match self.insist(open.order.home(), &command).await? {
            Receipt::OrderOpened { until } => Some(until),
            _ => None,
        }
    }

    /// Holds all legs until then.
    async fn hold(&self, open: &OpenOrder, until: Timestamp) -> Option<Vec<HeldLeg>> {
        let mut held = Vec::new();
        for (number, leg) in open.legs.iter().enumerate() {
            let hold = HoldLeg {
                leg: LegKey {
                    order: open.order,
                    leg: number as u8,
                },
                event: open.event,
                buyer: open.buyer,
                want: leg.want.clone(),
                until,
            };
            let hold = Command::HoldLeg(Box::new(hold));
            match self.insist(leg.shard, &hold).await? {
                Receipt::LegHeld(leg) => held.push(leg),
                _ => return None,
            }
        }
        Some(held)
    }

    /// Proposes through whoever leads, until there is an answer; what was done.
    async fn insist(&self, shard: ShardId, command: &Command) -> Option<Receipt> {
        for _ in 0..20 {
            let leader = self.client.door().home_of(OrderId::new(shard, 0));
            let at = leader.map_or(0, |(at, _)| at);
            if let Some(outcome) = propose_at(self.client, at, shard, command).await {
                return outcome.ok();
            }
            self.client.pause(50, 300).await;
        }
        None
    }
}
