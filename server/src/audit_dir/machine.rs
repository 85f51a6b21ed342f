//! A ledger under observation, as the replay's machine.

use bytes::Bytes;
use ledger::{Ledger, ShardId, Timestamp};
use raft_node::machine::{Entry, Machine, NotUnderstood, RestoreError};

use super::watch::Watch;

/// Invariants are walked through after every so many entries: a walk costs as much as thousands
/// of commands.
const WALK_EVERY: u64 = 256;

/// See the module.
pub(super) struct AuditMachine {
    shard: ShardId,
    pub(super) ledger: Ledger,
    pub(super) watch: Watch,
    entries: u64,
}

impl AuditMachine {
    pub(super) fn new(shard: ShardId) -> Self {
        Self {
            shard,
            ledger: watched(Ledger::new(shard)),
            watch: Watch::default(),
            entries: 0,
        }
    }

    /// A last walk through all invariants.
    pub(super) fn finish(&mut self) {
        if let Err(violation) = self.ledger.check_invariants() {
            self.watch
                .broken
                .insert(("invariants", format!("shard {}: {violation:?}", self.shard)));
        }
    }
}

fn watched(mut ledger: Ledger) -> Ledger {
    ledger.keep_changes(true);
    ledger
}

impl Machine for AuditMachine {
    fn apply(&mut self, entry: Entry<'_>) -> Result<Vec<Bytes>, NotUnderstood> {
        let stamp = ledger::Stamp {
            at: Timestamp(entry.stamp.at_ms),
            draw: entry.stamp.draw,
        };
        self.watch.enter(stamp.at);
        for bytes in entry.commands {
            match proto::decode_command(bytes) {
                // The outcome went to whoever asked; the facts tell what it did.
                Ok(command) => drop(self.ledger.apply(stamp, &command)),
                Err(error) => {
                    let found = format!("entry {}: {error}", entry.index);
                    self.watch.broken.insert(("log", found));
                }
            }
            let facts: Vec<_> = self.ledger.take_changes().collect();
            self.watch.see(&facts);
        }
        self.entries += 1;
        if self.entries.is_multiple_of(WALK_EVERY) {
            self.finish();
        }
        Ok(vec![Bytes::new(); entry.commands.len()])
    }

    fn next_due_ms(&self) -> Option<u64> {
        None
    }

    fn tick(&self) -> Bytes {
        Bytes::new()
    }

    fn elected(&self) -> Option<Bytes> {
        None
    }

    fn digest(&self) -> [u8; 32] {
        self.ledger.digest()
    }

    fn save(&self) -> Vec<Bytes> {
        proto::snapshot::save(&self.ledger)
    }

    fn restore(&mut self, parts: Vec<Bytes>) -> Result<(), RestoreError> {
        crate::node::snapshot::read_header(&parts)?;
        let ledger =
            proto::snapshot::restore(self.shard, &parts[1..]).map_err(|(part, reason)| {
                RestoreError {
                    part: part + 1,
                    reason: reason.to_string(),
                }
            })?;
        self.ledger = watched(ledger);
        self.watch = Watch::starting_from(&self.ledger);
        Ok(())
    }
}
