//! What a courier knows of its way to one receiver: how far it has delivered, and how far the
//! shard's own log says so. Messages are told by their numbers: an outbox keeps a range of them.
//!
//! Acknowledging every delivery by itself made a quarter of all commands of a sale. Nothing waits for
//! one: they free memory, and spare a new leader from delivering again what its predecessor did. So
//! deliveries are acknowledged together, a while after the first of them.

use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

/// So many messages are acknowledged at once, ...
const TOGETHER_MAX: u64 = 200;
/// ... and fewer once the first of them was delivered so long ago.
const TOGETHER_FOR: Duration = Duration::from_millis(200);

/// The way to one receiver.
#[derive(Debug, Default)]
pub struct Way {
    /// The receiver said that it has everything up to here.
    delivered: u64,
    /// When it said so of the first message that waits to be acknowledged.
    since: Option<Instant>,
    /// A parcel is under way.
    pub carrying: bool,
    acknowledging: bool,
}

impl Way {
    /// Which messages are to be carried next, of those that are `kept`; none while some are under way.
    pub fn undelivered(&self, kept: &Range<u64>) -> Option<Range<u64>> {
        let left = kept.start.max(self.delivered + 1)..kept.end;
        (!self.carrying && !left.is_empty()).then_some(left)
    }

    /// The receiver has everything up to `through`.
    pub fn arrived(&mut self, through: u64, now: Instant) {
        self.delivered = self.delivered.max(through);
        self.since.get_or_insert(now);
    }

    /// How far to acknowledge now, if at all.
    pub fn acknowledgement(&self, kept: &Range<u64>, now: Instant) -> Option<u64> {
        let owed = self.owed(kept)?;
        let due = owed >= TOGETHER_MAX || self.due().is_none_or(|due| due <= now);
        due.then_some(self.delivered)
    }

    /// When an acknowledgement will be due by itself.
    pub fn wake(&self, kept: &Range<u64>) -> Option<Instant> {
        self.owed(kept).and(self.due())
    }

    /// An acknowledgement leaves: what arrives from now on waits for the next one.
    pub fn acknowledge(&mut self) {
        self.acknowledging = true;
        self.since = None;
    }

    /// It came back, or got lost; then the next one leaves at once.
    pub fn acknowledged(&mut self) {
        self.acknowledging = false;
    }

    /// How many were delivered and are kept all the same; none while an acknowledgement is under way.
    fn owed(&self, kept: &Range<u64>) -> Option<u64> {
        let owed = (self.delivered + 1).saturating_sub(kept.start);
        (!self.acknowledging && owed > 0).then_some(owed)
    }

    fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + TOGETHER_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_delivered_is_carried_no_more_and_acknowledged_together_after_a_while() {
        let start = Instant::now();
        let mut way = Way::default();
        assert_eq!(way.undelivered(&(1..1)), None, "nothing was ever sent");
        assert_eq!(way.undelivered(&(1..3)), Some(1..3));
        way.carrying = true;
        assert_eq!(way.undelivered(&(1..5)), None, "one parcel at a time");
        way.carrying = false;
        way.arrived(2, start);
        assert_eq!(way.undelivered(&(1..5)), Some(3..5));
        way.arrived(4, start + TOGETHER_FOR / 2);
        assert_eq!(way.undelivered(&(1..5)), None);

        let due = start + TOGETHER_FOR;
        let just_before = due - Duration::from_millis(1);
        assert_eq!(way.acknowledgement(&(1..5), just_before), None);
        assert_eq!(way.wake(&(1..5)), Some(due));
        assert_eq!(way.acknowledgement(&(1..5), due), Some(4));
        way.acknowledge();
        assert_eq!(way.acknowledgement(&(1..5), due), None, "one at a time");
        assert_eq!(way.wake(&(1..5)), None);
    }

    #[test]
    fn a_lost_acknowledgement_leaves_again_at_once_and_many_messages_do_not_wait() {
        let start = Instant::now();
        let mut way = Way::default();
        way.arrived(2, start);
        way.acknowledge();
        way.acknowledged();
        assert_eq!(way.acknowledgement(&(1..3), start), Some(2), "it was lost");
        assert_eq!(way.acknowledgement(&(3..3), start), None, "it was not");
        way.arrived(2 + TOGETHER_MAX, start);
        assert_eq!(
            way.acknowledgement(&(3..900), start),
            Some(2 + TOGETHER_MAX)
        );
    }

    #[test]
    fn a_new_courier_begins_with_what_is_kept() {
        let way = Way::default();
        assert_eq!(way.undelivered(&(90..95)), Some(90..95));
        assert_eq!(way.acknowledgement(&(90..95), Instant::now()), None);
    }
}
