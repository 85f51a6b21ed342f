//! A few shards, one clock, and the couriers between them.

use ledger::message::Message;
use ledger::parts::Part;
use ledger::{Command, Ledger, Outcome, Receipt, ShardId, Stamp, Timestamp};

#[derive(Clone)]
pub struct World {
    pub shards: Vec<Ledger>,
    pub now: Timestamp,
    /// Every command, when a test wants them.
    pub log: Option<Vec<(ShardId, Stamp, Command, Outcome)>>,
}

impl World {
    pub fn new(shards: u16) -> Self {
        let shards = (1..=shards)
            .map(|number| Ledger::new(ShardId(number)))
            .collect();
        Self {
            shards,
            now: Timestamp(0),
            log: None,
        }
    }

    pub fn shard(&self, shard: ShardId) -> &Ledger {
        &self.shards[usize::from(shard.0) - 1]
    }

    pub fn apply(&mut self, shard: ShardId, command: &Command) -> Outcome {
        let stamp = Stamp {
            at: self.now,
            draw: [7; 32],
        };
        let outcome = self.shards[usize::from(shard.0) - 1].apply(stamp, command);
        if let Some(log) = &mut self.log {
            log.push((shard, stamp, command.clone(), outcome.clone()));
        }
        outcome
    }

    pub fn apply_everywhere(&mut self, command: &Command) -> Vec<Outcome> {
        let shards: Vec<ShardId> = self.shards.iter().map(Ledger::shard).collect();
        shards
            .into_iter()
            .map(|shard| self.apply(shard, command))
            .collect()
    }

    /// One round of every courier: what each outbox has is delivered and acknowledged. Returns how
    /// many messages were.
    pub fn deliver_once(&mut self) -> usize {
        let mut letters: Vec<(ShardId, ShardId, u64, Vec<Message>)> = Vec::new();
        for shard in &self.shards {
            for (to, outbox) in shard.outboxes() {
                if !outbox.is_empty() {
                    letters.push((
                        shard.shard(),
                        to,
                        outbox.first(),
                        outbox.messages().cloned().collect(),
                    ));
                }
            }
        }
        let mut delivered = 0;
        for (from, to, first, messages) in letters {
            delivered += messages.len();
            let receipt = self.apply(
                to,
                &Command::Deliver {
                    from,
                    first,
                    messages,
                },
            );
            let Ok(Receipt::Delivered { through }) = receipt else {
                panic!("not delivered: {receipt:?}")
            };
            self.apply(from, &Command::Acknowledge { to, through })
                .expect("what was delivered was sent");
        }
        delivered
    }

    /// The courier between two shards carries at most `limit` messages. Returns how many.
    pub fn carry(&mut self, from: ShardId, to: ShardId, limit: usize) -> usize {
        let Some(outbox) = self
            .shard(from)
            .outbox(to)
            .filter(|outbox| !outbox.is_empty())
        else {
            return 0;
        };
        let first = outbox.first();
        let messages: Vec<Message> = outbox.messages().take(limit).cloned().collect();
        let carried = messages.len();
        let through = first + carried as u64 - 1;
        let receipt = self.apply(
            to,
            &Command::Deliver {
                from,
                first,
                messages,
            },
        );
        assert_eq!(receipt, Ok(Receipt::Delivered { through }));
        self.apply(from, &Command::Acknowledge { to, through })
            .expect("what was delivered was sent");
        carried
    }

    /// Delivers until nobody has anything to say.
    pub fn deliver_all(&mut self) -> usize {
        let mut delivered = 0;
        loop {
            match self.deliver_once() {
                0 => return delivered,
                some => delivered += some,
            }
        }
    }

    /// Takes every shard apart, puts it together again, and requires the same digest.
    pub fn through_a_snapshot(&mut self) {
        for shard in &mut self.shards {
            *shard = restored(shard);
        }
    }
}

/// The shard after a snapshot.
pub fn restored(shard: &Ledger) -> Ledger {
    let parts: Vec<Part> = shard.parts().collect();
    let copy = Ledger::from_parts(parts.clone()).expect("parts of a ledger make a ledger");
    assert_eq!(
        parts,
        copy.parts().collect::<Vec<_>>(),
        "a snapshot changed the state"
    );
    assert_eq!(
        shard.digest(),
        copy.digest(),
        "a snapshot changed the digest"
    );
    assert_eq!(
        shard.next_due(),
        copy.next_due(),
        "a snapshot changed what is due"
    );
    copy.check_invariants()
        .expect("a snapshot keeps the invariants");
    copy
}
