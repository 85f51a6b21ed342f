//! The log's disk of a node: one writer. Whatever is asked for while it syncs shares the next sync, over
//! all shards of the node (`raft-node/src/storage/wal/writer.rs`).

/// The writer's queue. `W` says whom to tell.
#[derive(Debug)]
pub struct Disk<W> {
    syncing: Option<Vec<W>>,
    waiting: Vec<W>,
}

impl<W> Default for Disk<W> {
    fn default() -> Self {
        Self {
            syncing: None,
            waiting: Vec::new(),
        }
    }
}

impl<W> Disk<W> {
    /// Asks for a write. True when the writer was idle and begins a sync now.
    pub fn write(&mut self, write: W) -> bool {
        self.waiting.push(write);
        self.begin()
    }

    /// The sync is over: what became durable, and whether the next one begins.
    pub fn synced(&mut self) -> (Vec<W>, bool) {
        let durable = self.syncing.take().unwrap_or_default();
        (durable, self.begin())
    }

    fn begin(&mut self) -> bool {
        let begins = self.syncing.is_none() && !self.waiting.is_empty();
        if begins {
            self.syncing = Some(std::mem::take(&mut self.waiting));
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_during_a_sync_shares_the_next_one() {
        let mut disk = Disk::default();
        assert!(disk.write(1), "an idle writer begins at once");
        assert!(!disk.write(2));
        assert!(!disk.write(3));
        assert_eq!(disk.synced(), (vec![1], true));
        assert_eq!(disk.synced(), (vec![2, 3], false));
        assert!(disk.write(4));
    }
}
