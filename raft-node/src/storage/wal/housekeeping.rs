//! What the writer does between batches: it gives back segments nothing lives in, keeps a spare
//! ready, and moves the living entries out of old, mostly dead segments, so that one quiet group
//! cannot hold back the disk of a busy node.

use std::io;

use super::locked;
use super::prepare::SPARES_MAX;
use super::record::{EntryId, Record};
use super::segment;
use super::writer::{Usage, Writer};

/// Segments whose living entries are moved between two batches, at most.
const CLEANED_AT_ONCE: usize = 3;

impl Writer {
    /// What can wait until nobody waits. A failure to give back or to prepare a file costs space,
    /// not promises; a failed rewrite is a failed write like any other.
    pub(super) async fn keep_house(&mut self) -> io::Result<()> {
        self.retire_dead_segments().await;
        if std::mem::take(&mut self.rotated) {
            self.clean().await?;
            // A rewrite may itself have begun a segment; that is no reason for another one.
            self.rotated = false;
        }
        self.go_on_with_spare().await;
        Ok(())
    }

    /// Gives back the oldest segments nothing lives in. One at a time, each durably: a hole in
    /// the sequence would look like a lost file, and a spare must have lost its old name before
    /// its contents change.
    pub(super) async fn retire_dead_segments(&mut self) {
        if self.synced != self.open.written {
            // The purge that killed a segment may not be durable yet.
            return;
        }
        while let Some((sequence, usage)) = self
            .segments
            .first_key_value()
            .map(|(sequence, usage)| (*sequence, *usage))
        {
            if usage.live > 0 || sequence == self.open.sequence {
                return;
            }
            if let Err(error) = self.retire(sequence, usage).await {
                tracing::warn!(%error, segment = sequence, "cannot give back a log segment");
                return;
            }
            self.segments.remove(&sequence);
        }
    }

    async fn retire(&mut self, sequence: u64, usage: Usage) -> io::Result<()> {
        let path = segment::path(sequence);
        let reusable = usage.size == self.segment_bytes as u64 && self.spares.len() < SPARES_MAX;
        if reusable {
            self.disk
                .rename(&path, &segment::spare_path(sequence))
                .await?;
        } else {
            self.disk.remove(&path).await?;
        }
        self.disk.sync_dir(segment::DIRECTORY).await?;
        if reusable {
            self.spares.push(sequence);
        }
        Ok(())
    }

    /// Sees to it that the next segment is there before it is needed, a piece at a time: made in one go,
    /// it kept everybody waiting for as long as a disk takes to write a whole segment.
    pub(super) async fn go_on_with_spare(&mut self) {
        if !self.spares.is_empty() {
            // One was given back meanwhile.
            self.forget_unfinished().await;
            self.room.spare_is_missing(false);
            return;
        }
        if let Err(error) = self.make_a_piece().await {
            self.forget_unfinished().await;
            // Once, not at every beat.
            if !self.room.lacks_spare() {
                tracing::warn!(%error, "cannot prepare the next log segment");
            }
            self.room.spare_is_missing(true);
        }
        // While it is only unfinished, what was known of room stays known.
        if !self.spares.is_empty() {
            self.room.spare_is_missing(false);
        }
    }

    /// The same to its end, because it is needed now, or nobody waits yet.
    pub(super) async fn finish_spare(&mut self) {
        self.go_on_with_spare().await;
        while self.unfinished.is_some() {
            self.go_on_with_spare().await;
        }
    }

    async fn make_a_piece(&mut self) -> io::Result<()> {
        let mut unfinished = match self.unfinished.take() {
            Some(unfinished) => unfinished,
            // Unique: segments of smaller numbers are in use or were spares before.
            None => {
                let number = self.open.sequence + 1;
                self.preparation().begin_spare(number).await?
            }
        };
        let done = self.preparation().go_on(&mut unfinished).await;
        match &done {
            Ok(true) => self.spares.push(unfinished.number),
            Ok(false) | Err(_) => self.unfinished = Some(unfinished),
        }
        done.map(|_| ())
    }

    async fn forget_unfinished(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            self.preparation().give_up(unfinished.number).await;
        }
    }

    /// Moves living entries out of the oldest segments when the log has grown long and most of it
    /// is dead. At most a few segments at a time: somebody may be waiting already. With half of
    /// the log dead, cleaning two segments for each new one keeps it from growing.
    async fn clean(&mut self) -> io::Result<()> {
        for _ in 0..CLEANED_AT_ONCE {
            let size: u64 = self.segments.values().map(|usage| usage.size).sum();
            let live: u64 = self.segments.values().map(|usage| usage.live).sum();
            if self.segments.len() <= self.segments_before_rewrite || live * 2 >= size {
                return Ok(());
            }
            self.rewrite_oldest().await?;
            self.retire_dead_segments().await;
        }
        Ok(())
    }

    /// Writes the living entries of the oldest segment again, at the end of the log.
    async fn rewrite_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.keys().next().copied() else {
            return Ok(());
        };
        let mut moved = Vec::new();
        for (group, mirror) in &self.mirror {
            let Some(memory) = locked(&self.logs).get(group).cloned() else {
                continue;
            };
            for (index, slot) in mirror.items().filter(|(_, slot)| slot.segment == oldest) {
                // In memory it may be cut off or purged already; then its segment waits for that.
                let entry = memory.entry(index).filter(|entry| entry.term == slot.term);
                let Some(entry) = entry else {
                    continue;
                };
                let id = EntryId {
                    term: entry.term,
                    index,
                };
                moved.push((
                    *group,
                    Record::Rewrite {
                        id,
                        payload: entry.payload,
                    },
                ));
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        for (group, record) in moved {
            self.put(group, record).await?;
        }
        self.flush(true).await
    }
}
