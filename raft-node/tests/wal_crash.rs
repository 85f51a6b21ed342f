//! Goal: nothing acknowledged is ever lost, nothing never given appears, and whatever a crash
//! cannot explain is refused (P3).
//!
//! Method: a simulated disk that keeps, of what was not synced, nothing, a prefix, or any
//! sectors; power that fails after any operation, also in the middle of recovery; then every
//! byte cut and every bit flipped. Each run is its seed; `CRASH_SEEDS=5000` runs more of them.

mod storage_support;

use std::collections::BTreeMap;

use bytes::Bytes;
use openraft::storage::RaftLogStorage;
use raft_node::platform::sim_disk::{CrashMode, SimDisk};
use raft_node::storage::{LogStore, SnapshotStore, Storage, StorageError};

use storage_support::*;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What one group may look like after a crash: any state from the last acknowledged one on.
struct Model {
    possible: Vec<Contents>,
    /// Number of the first of `possible`, counted from the beginning of the run.
    from: usize,
    term: u64,
}

impl Model {
    fn new() -> Self {
        Self {
            possible: vec![Contents::default()],
            from: 0,
            term: 1,
        }
    }

    fn now(&self) -> &Contents {
        self.possible.last().expect("never empty")
    }

    fn step(&mut self, change: impl FnOnce(&mut Contents)) -> usize {
        let mut next = self.now().clone();
        change(&mut next);
        self.possible.push(next);
        self.from + self.possible.len() - 1
    }

    fn acknowledged(&mut self, state: usize) {
        if state > self.from {
            self.possible.drain(..state - self.from);
            self.from = state;
        }
    }

    fn found(&mut self, contents: Contents) {
        assert!(
            self.possible.contains(&contents),
            "found {contents:#?}\nwhich is none of the {} possible states, from {:#?}\nto {:#?}",
            self.possible.len(),
            self.possible[0],
            self.now()
        );
        self.possible = vec![contents];
        self.from = 0;
        self.term = self
            .now()
            .last
            .map_or(1, |(term, _)| term)
            .max(self.now().vote.map_or(1, |(term, _)| term));
    }
}

/// One node's life until its power fails: random votes, appends, cuts, snapshots and purges over
/// several groups, some of them awaited and some not.
async fn live(storage: &Storage, models: &mut BTreeMap<u32, Model>, chance: &mut Chance) {
    let mut views: BTreeMap<u32, (LogStore, SnapshotStore)> = models
        .keys()
        .map(|group| (*group, storage.group(*group)))
        .collect();
    let mut flying = Vec::new();
    for step in 0..60 {
        // Group 0 is nearly idle: its entries would hold back the whole log.
        let group = if chance.below(40) == 0 {
            0
        } else {
            1 + chance.below(models.len() as u64 - 1) as u32
        };
        let model = models.get_mut(&group).expect("one of ours");
        let (log, snapshots) = views.get_mut(&group).expect("one of ours");
        match chance.below(10) {
            0 => {
                model.term += 1;
                let term = model.term;
                let state = model.step(|contents| contents.vote = Some((term, 2)));
                if log.save_vote(&vote(term, 2)).await.is_err() {
                    return;
                }
                model.acknowledged(state);
            }
            1 => {
                let (first, last) = (model.now().entries.keys().next().copied(), model.now().last);
                let (Some(first), Some((_, last))) = (first, last) else {
                    continue;
                };
                let after = first + chance.below(last - first + 1);
                let term = model.now().entries[&after].0;
                model.step(|contents| {
                    contents.entries.split_off(&(after + 1));
                    contents.last = Some((term, after));
                });
                log.truncate_after(Some(log_id(term, after))).await.unwrap();
                model.term += 1;
            }
            2 => {
                let (first, last) = (model.now().entries.keys().next().copied(), model.now().last);
                let (Some(first), Some((_, last))) = (first, last) else {
                    continue;
                };
                let upto = first + chance.below(last - first + 1);
                let upto_term = model.now().entries[&upto].0;
                if snapshot(snapshots, log_id(upto_term, upto)).await.is_err() {
                    return;
                }
                model.step(|contents| {
                    contents.entries = contents.entries.split_off(&(upto + 1));
                    contents.purged = Some(upto);
                    if contents.entries.is_empty() {
                        contents.last = Some((upto_term, upto));
                    }
                });
                log.purge(log_id(upto_term, upto)).await.unwrap();
            }
            3 => log
                .save_committed(model.now().last.map(|(term, index)| log_id(term, index)))
                .await
                .unwrap(),
            _ => {
                let count = 1 + chance.below(4);
                let mut entries = Vec::new();
                let mut state = 0;
                for _ in 0..count {
                    let index = model.now().last.map_or(0, |(_, index)| index + 1);
                    let mut command =
                        format!("{group}/{}/{index}/{step}/", model.term).into_bytes();
                    command.resize(command.len() + chance.below(900) as usize, step as u8);
                    let (term, command) = (model.term, Bytes::from(command));
                    entries.push(entry(term, index, command.clone()));
                    state = model.step(|contents| {
                        contents.entries.insert(index, (term, command));
                        contents.last = Some((term, index));
                    });
                }
                let durable = append(log, entries).await.unwrap();
                flying.push((group, state, durable));
            }
        }
        if chance.below(3) == 0 {
            for (group, state, durable) in flying.drain(..) {
                if durable.await.is_err() {
                    return;
                }
                models
                    .get_mut(&group)
                    .expect("one of ours")
                    .acknowledged(state);
            }
        }
    }
}

/// Where a node keeps what it has not synced.
#[derive(Clone, Copy)]
enum Cache {
    /// In the machine, which loses power: the disk decides what is left.
    Machine,
    /// In its own process, which dies; the disk below forgets nothing, or all that is not synced.
    Process,
}

#[tokio::test]
async fn acknowledged_votes_and_entries_survive_every_crash_and_nothing_else_appears() {
    crash_again_and_again(Cache::Machine).await;
}

#[tokio::test]
async fn a_disk_that_forgets_with_its_process_keeps_what_was_synced_and_no_more_than_was_written() {
    crash_again_and_again(Cache::Process).await;
}

async fn crash_again_and_again(cache: Cache) {
    let seeds = std::env::var("CRASH_SEEDS")
        .ok()
        .and_then(|count| count.parse().ok());
    for seed in 0..seeds.unwrap_or(150) {
        let mut chance = Chance(seed);
        let disk = SimDisk::new(seed);
        let mut models: BTreeMap<u32, Model> = (0..4).map(|group| (group, Model::new())).collect();
        let mut longest = 0;
        for round in 0..12 {
            let span = [8, 60, 400][chance.below(3) as usize];
            disk.stop_after(chance.below(span));
            let opened = match cache {
                Cache::Machine => open(&disk).await,
                Cache::Process => {
                    let early = (round % 3 != 0).then(|| chance.below(u64::MAX));
                    open_forgetful(&disk, early).await
                }
            };
            match opened {
                Ok(storage) => {
                    for (group, model) in &mut models {
                        model.found(contents(&mut storage.group(*group).0).await);
                    }
                    live(&storage, &mut models, &mut chance).await;
                }
                Err(StorageError::Io { source, .. }) if source.to_string().contains("crashed") => {}
                // The lock of a disk that forgets removes what the last process left.
                Err(error) if error.to_string().contains("the node has crashed") => {}
                Err(error) => panic!("seed {seed}, round {round}: {error}"),
            }
            longest = longest.max(segments(&disk).len());
            let modes = [
                CrashMode::KeepAll,
                CrashMode::LoseUnsynced,
                CrashMode::KeepPrefix,
                CrashMode::KeepSubset,
            ];
            disk.crash(modes[chance.below(4) as usize]);
        }
        let storage = open(&disk)
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (group, model) in &mut models {
            model.found(contents(&mut storage.group(*group).0).await);
        }
        assert!(longest < 50, "seed {seed}: {longest} segments");
    }
}

/// A log of a few batches, closed; with what it holds, and with what it held after each entry.
async fn written() -> (SimDisk, Contents, Vec<Contents>) {
    let disk = SimDisk::new(1);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(5);
    let mut states = vec![Contents::default()];
    log.save_vote(&vote(1, 7)).await.unwrap();
    states.push(contents(&mut log).await);
    for index in 0..9 {
        append_durably(&mut log, vec![entry(1, index, format!("command {index}"))])
            .await
            .unwrap();
        states.push(contents(&mut log).await);
    }
    let whole = contents(&mut log).await;
    storage.close().await;
    (disk, whole, states)
}

#[tokio::test]
async fn a_log_cut_at_any_byte_of_its_tail_keeps_exactly_the_records_before_the_cut() {
    let (disk, _, states) = written().await;
    let path = segments(&disk).pop().unwrap();
    let bytes = disk.read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut reached = 0;
    for zeroed in [true, false] {
        for cut in 64..=used {
            let torn = disk.fork(cut as u64);
            let mut left = bytes[..cut].to_vec();
            if zeroed {
                left.resize(bytes.len(), 0);
            }
            torn.put(&path, &left);
            let storage = open(&torn)
                .await
                .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            let (mut log, _) = storage.group(5);
            let found = contents(&mut log).await;
            let at = states.iter().position(|state| *state == found);
            let at = at.unwrap_or_else(|| panic!("cut at {cut}: found {found:#?}"));
            if cut > 64 {
                assert!(
                    at == reached || at == reached + 1,
                    "cut at {cut} lost records before it"
                );
            }
            reached = at;
            // What was torn never comes back, also not behind what is written next.
            let next = found.last.map_or(0, |(_, index)| index + 1);
            append_durably(&mut log, vec![entry(2, next, "after the cut")])
                .await
                .unwrap();
            let expected = contents(&mut log).await;
            torn.crash(CrashMode::LoseUnsynced);
            let storage = open(&torn).await.unwrap();
            assert_eq!(contents(&mut storage.group(5).0).await, expected);
        }
        assert_eq!(reached, states.len() - 1, "an uncut log is whole");
    }
}

#[tokio::test]
async fn any_flipped_bit_is_refused_or_harmless() {
    let (disk, whole, _) = written().await;
    let path = segments(&disk).pop().unwrap();
    let used = disk
        .read(&path)
        .unwrap()
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap()
        + 1;
    let mut refused = 0;
    for bit in 0..used * 8 {
        let damaged = disk.fork(bit as u64);
        damaged.flip_bit(&path, bit / 8, (bit % 8) as u8);
        match open(&damaged).await {
            Ok(storage) => {
                assert_eq!(
                    contents(&mut storage.group(5).0).await,
                    whole,
                    "bit {bit} changed what is read"
                );
            }
            Err(StorageError::Damaged { .. } | StorageError::UnsupportedVersion { .. }) => {
                refused += 1
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    assert!(
        refused * 10 > used * 8 * 8,
        "only {refused} of {} flips were refused",
        used * 8
    );
}

#[tokio::test]
async fn an_idle_group_does_not_hold_back_the_log_of_a_busy_one() {
    let disk = SimDisk::new(3);
    let storage = open(&disk).await.unwrap();
    let (mut idle, _) = storage.group(1);
    let (mut busy, snapshots) = storage.group(2);
    idle.save_vote(&vote(9, 9)).await.unwrap();
    append_durably(&mut idle, vec![entry(9, 0, "once"), entry(9, 1, "twice")])
        .await
        .unwrap();
    for index in 0..400 {
        append_durably(&mut busy, vec![entry(1, index, vec![1; 300])])
            .await
            .unwrap();
        if index % 10 == 9 {
            snapshot(&snapshots, log_id(1, index - 5)).await.unwrap();
            busy.purge(log_id(1, index - 5)).await.unwrap();
        }
    }
    settle().await;
    assert!(segments(&disk).len() <= 8, "{:?}", segments(&disk));
    let (idle, busy) = (contents(&mut idle).await, contents(&mut busy).await);
    disk.crash(CrashMode::LoseUnsynced);
    let storage = open(&disk).await.unwrap();
    assert_eq!(contents(&mut storage.group(1).0).await, idle);
    let found = contents(&mut storage.group(2).0).await;
    assert_eq!(found.last, busy.last);
}

#[tokio::test]
async fn one_sync_serves_all_groups_that_wait() {
    let disk = SimDisk::new(4);
    let storage = open(&disk).await.unwrap();
    let before = storage.counters().syncs();
    let mut flying = Vec::new();
    for group in 0..16 {
        let (mut log, _) = storage.group(group);
        flying.push(
            append(&mut log, vec![entry(1, 0, "x"), entry(1, 1, "y")])
                .await
                .unwrap(),
        );
    }
    for durable in flying {
        durable.await.unwrap();
    }
    assert_eq!(storage.counters().syncs() - before, 1);
    assert!(storage.counters().records() >= 32 && storage.counters().bytes() > 0);

    // A commit mark and a purge wait for the next sync; they are no reason for one.
    let (mut log, snapshots) = storage.group(3);
    log.save_committed(Some(log_id(1, 1))).await.unwrap();
    snapshot(&snapshots, log_id(1, 0)).await.unwrap();
    log.purge(log_id(1, 0)).await.unwrap();
    settle().await;
    assert_eq!(storage.counters().syncs() - before, 1);
    disk.crash(CrashMode::KeepAll);
    let storage = open(&disk).await.unwrap();
    assert_eq!(
        storage.group(3).0.read_committed().await.unwrap(),
        Some(log_id(1, 1)),
        "a killed process keeps it"
    );
}

#[tokio::test]
async fn a_commit_mark_never_speaks_of_entries_that_are_not_in_the_log() {
    let disk = SimDisk::new(6);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    append_durably(&mut log, vec![entry(1, 0, "a"), entry(1, 1, "b")])
        .await
        .unwrap();
    log.save_committed(Some(log_id(1, 1))).await.unwrap();
    append_durably(&mut log, vec![entry(1, 2, "c")])
        .await
        .unwrap();
    // A quorum of others may have synced what this node has yet to write.
    log.save_committed(Some(log_id(1, 9))).await.unwrap();
    append_durably(&mut log, vec![entry(1, 3, "d")])
        .await
        .unwrap();
    disk.crash(CrashMode::LoseUnsynced);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    assert_eq!(log.read_committed().await.unwrap(), Some(log_id(1, 1)));
    log.save_committed(Some(log_id(1, 3))).await.unwrap();
    storage.close().await;
    let storage = open(&disk).await.unwrap();
    let committed = storage.group(1).0.read_committed().await.unwrap();
    assert_eq!(
        committed,
        Some(log_id(1, 3)),
        "the last word is written at the end"
    );
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let disk = SimDisk::new(5);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    append_durably(&mut log, vec![entry(1, 0, "kept")])
        .await
        .unwrap();
    let kept = contents(&mut log).await;

    disk.fail_next_sync();
    let error = append_durably(&mut log, vec![entry(1, 1, "lost")])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("injected"), "{error}");
    // The disk would say yes now, and lie about the pages before.
    append_durably(&mut log, vec![entry(1, 2, "refused")])
        .await
        .unwrap_err();
    log.save_vote(&vote(4, 4)).await.unwrap_err();
    storage.group(2).0.save_vote(&vote(4, 4)).await.unwrap_err();

    // Power is cut: what the failed sync left in memory is gone.
    disk.crash(CrashMode::LoseUnsynced);
    let storage = open(&disk).await.unwrap();
    assert_eq!(contents(&mut storage.group(1).0).await, kept);

    // The process is restarted: what it finds in memory it may rely on only once it is durable.
    disk.fail_next_sync();
    append_durably(&mut storage.group(1).0, vec![entry(2, 1, "in memory")])
        .await
        .unwrap_err();
    disk.crash(CrashMode::KeepAll);
    let storage = open(&disk).await.unwrap();
    let found = contents(&mut storage.group(1).0).await;
    disk.crash(CrashMode::LoseUnsynced);
    let storage = open(&disk).await.unwrap();
    assert_eq!(contents(&mut storage.group(1).0).await, found);
}

#[tokio::test]
async fn a_full_disk_fails_the_append_and_keeps_what_was_acknowledged() {
    let disk = SimDisk::new(6);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    disk.set_quota(Some(20_000));
    let mut kept = contents(&mut log).await;
    let mut index = 0;
    while append_durably(&mut log, vec![entry(1, index, vec![2; 500])])
        .await
        .is_ok()
    {
        kept = contents(&mut log).await;
        index += 1;
    }
    assert!(index > 5, "there was room at first");
    disk.crash(CrashMode::KeepSubset);
    disk.set_quota(None);
    let storage = open(&disk).await.unwrap();
    let found = contents(&mut storage.group(1).0).await;
    assert!(
        kept.entries
            .iter()
            .all(|kept| found.entries.get(kept.0) == Some(kept.1))
    );
}

#[tokio::test]
async fn an_entry_larger_than_a_segment_gets_one_of_its_size() {
    let disk = SimDisk::new(7);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    append_durably(
        &mut log,
        vec![
            entry(1, 0, "small"),
            entry(1, 1, vec![8; 50_000]),
            entry(1, 2, "small"),
        ],
    )
    .await
    .unwrap();
    let whole = contents(&mut log).await;
    disk.crash(CrashMode::LoseUnsynced);
    let storage = open(&disk).await.unwrap();
    assert_eq!(contents(&mut storage.group(1).0).await, whole);
}

#[tokio::test]
async fn a_leftover_of_a_torn_write_does_not_come_back_behind_a_later_one() {
    // One write of two entries; the power cut kept only the second. Then an entry of the size of
    // the first is written in its place: the leftover stands exactly where a next one would.
    let disk = SimDisk::new(8);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    append_durably(&mut log, vec![entry(1, 0, "zero")])
        .await
        .unwrap();
    append_durably(&mut log, vec![entry(1, 1, "one"), entry(1, 2, "two")])
        .await
        .unwrap();
    storage.close().await;
    let path = segments(&disk).pop().unwrap();
    let mut bytes = disk.read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let at = |index: u64| {
        let id = [1u64.to_le_bytes(), index.to_le_bytes()].concat();
        bytes.windows(16).position(|window| window == id).unwrap() - 24
    };
    let (first, second) = (at(1), at(2));
    // The mark that all is durable ends the log; a torn write has none.
    let mark = second + (second - first);
    assert!(mark < used && used <= mark + 24);
    bytes[first..second].fill(0);
    bytes[mark..mark + 24].fill(0);
    disk.put(&path, &bytes);

    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    assert_eq!(
        contents(&mut log).await.last,
        Some((1, 0)),
        "the torn write is gone as a whole"
    );
    append_durably(&mut log, vec![entry(2, 1, "own")])
        .await
        .unwrap();
    disk.crash(CrashMode::LoseUnsynced);
    let storage = open(&disk).await.unwrap();
    assert_eq!(contents(&mut storage.group(1).0).await.last, Some((2, 1)));
}
