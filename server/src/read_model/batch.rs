//! What an entry's facts write. Facts go into chunks, a few entries a value; they and how far they
//! go are one atomic batch. The lists that people ask for follow later ([`super::lists`]).

use std::collections::{BTreeMap, BTreeSet};

use ledger::change::Change;
use ledger::{SectionKey, ShardId};

use super::codec::{self, Standing};
use super::inbox::Entry;
use super::keys;

/// A shard's facts on their way into one chunk.
struct Chunk {
    first: u64,
    bytes: Vec<u8>,
    sections: BTreeSet<SectionKey>,
    standing: Standing,
}

/// Facts of some entries, of any shards.
#[derive(Default)]
pub struct Batch {
    chunks: BTreeMap<ShardId, Chunk>,
    facts: usize,
}

impl Batch {
    /// How many facts are in it.
    pub fn facts(&self) -> usize {
        self.facts
    }

    /// Adds an entry's facts, which follow `standing`; gives the standing after them.
    pub fn add(&mut self, standing: Standing, entry: &Entry, changes: &[Change]) -> Standing {
        let chunk = self.chunks.entry(entry.shard).or_insert_with(|| Chunk {
            first: entry.first,
            bytes: Vec::with_capacity(changes.len() * 80),
            sections: BTreeSet::new(),
            standing,
        });
        codec::put_entry(
            &mut chunk.bytes,
            entry.index,
            entry.at,
            changes.len() as u32,
        );
        for change in changes {
            codec::put_change(&mut chunk.bytes, change);
            if let Some(moved) = change.moved() {
                chunk.sections.insert(moved.section);
            }
        }
        self.facts += changes.len();
        chunk.standing = Standing {
            index: entry.index,
            through: standing.through + changes.len() as u64,
            ..standing
        };
        chunk.standing
    }

    /// As the database wants it.
    pub fn into_sled(self) -> sled::Batch {
        let mut batch = sled::Batch::default();
        for (shard, chunk) in self.chunks {
            for section in chunk.sections {
                batch.insert(keys::section_chunk(section, chunk.first), &[]);
            }
            batch.insert(keys::chunk(shard, chunk.first), chunk.bytes);
            batch.insert(keys::standing(shard), chunk.standing.encode());
        }
        batch
    }
}
