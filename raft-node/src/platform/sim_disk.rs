//! A disk in memory that forgets what was not synced, as POSIX allows and power cuts do.
//!
//! Each file has two halves: what readers see (the page cache) and what is durable, with the
//! ordered operations between them; so has the directory. [`SimDisk::crash`] decides, from the
//! seed, which of the operations in between survive and how the last one tears.
//!
//! A node works on a [`SimDisk::mount`]; after a crash its mount, its open files and its lock are
//! dead, so that a task that outlived its node cannot write into the next one's data.
//!
//! One thing it does not do: lose a metadata operation and keep a later one. File systems with a
//! journal do not either.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use bytes::Bytes;
use futures::future::BoxFuture;

use super::Disk;
use super::disk::{File, Space};

/// A disk writes this many bytes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// What a crash leaves of the operations no sync covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    /// Nothing: power was cut before the cache was written back.
    LoseUnsynced,
    /// A prefix, the operation after it torn at some byte.
    KeepPrefix,
    /// Any subset, in units of sectors: the cache was written back in any order.
    KeepSubset,
    /// Everything, but still unsynced: the process died, the machine did not (yet).
    KeepAll,
}

/// What a crash took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Operations that left no trace, or not all of one.
    pub operations: usize,
    /// Of these, writes of which some sectors or bytes are there and others are not.
    pub torn: usize,
}

/// How a disk spoils bytes that it had made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rot {
    /// A bit is not what it was.
    BitFlip,
    /// A sector bears what was meant for another one.
    Misdirected,
    /// A sector never saw its last write, though a sync said so.
    Stale,
    /// The file is gone.
    Missing,
    /// The file ends too early.
    Short,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

type Inode = Arc<Mutex<Contents>>;

struct State {
    /// Number of crashes; a mount or a file of an earlier epoch is dead.
    epoch: u64,
    locked: bool,
    chance: Chance,
    names: BTreeMap<String, Inode>,
    durable_names: BTreeMap<String, Inode>,
    unsynced_names: Vec<NameOp>,
    fail_next_sync: bool,
    /// Whoever waits for a sync that does not come back, while syncs hang.
    hung: Option<Vec<Waker>>,
    quota_bytes: Option<u64>,
    /// Operations until power fails.
    operations_left: Option<u64>,
    syncs: u64,
}

#[derive(Default)]
struct Contents {
    cached: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<FileOp>,
}

#[derive(Clone)]
enum FileOp {
    Write { offset: usize, bytes: Bytes },
    SetLen(usize),
}

/// One atomic change of the name space: one name away, one name there, or both.
#[derive(Clone)]
struct NameOp {
    gone: Option<String>,
    there: Option<(String, Inode)>,
}

impl SimDisk {
    /// An empty disk. Equal seeds crash equally.
    pub fn new(seed: u64) -> Self {
        let state = State {
            epoch: 0,
            locked: false,
            chance: Chance(seed),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced_names: Vec::new(),
            fail_next_sync: false,
            hung: None,
            quota_bytes: None,
            operations_left: None,
            syncs: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The disk as a node sees it, until the next crash.
    pub fn mount(&self) -> Arc<dyn Disk> {
        let epoch = self.state().epoch;
        Arc::new(Mount {
            disk: self.clone(),
            epoch,
        })
    }

    /// The node stops here, and of what it did not sync only some is left.
    pub fn crash(&self, mode: CrashMode) -> Lost {
        let mut lost = Lost::default();
        let mut state = self.state();
        let state = &mut *state;
        state.epoch += 1;
        state.locked = false;
        state.fail_next_sync = false;
        state.operations_left = None;
        if mode == CrashMode::KeepAll {
            return lost;
        }
        let kept = match mode {
            CrashMode::LoseUnsynced | CrashMode::KeepAll => 0,
            CrashMode::KeepPrefix | CrashMode::KeepSubset => {
                state.chance.below(state.unsynced_names.len() + 1)
            }
        };
        lost.operations += state.unsynced_names.len() - kept;
        for op in state.unsynced_names.drain(..).take(kept) {
            op.apply(&mut state.durable_names);
        }
        state.names = state.durable_names.clone();
        for inode in state.names.values() {
            contents(inode).crash(mode, &mut state.chance, &mut lost);
        }
        lost
    }

    /// Spoils a file at rest, durably, somewhere in what is in use of it: from a node's point of
    /// view the disk lied. Says whether there was something to spoil. `chance` picks the place.
    pub fn spoil(&self, path: &str, rot: Rot, chance: u64) -> bool {
        let mut state = self.state();
        let Some(inode) = state.names.get(path).cloned() else {
            return false;
        };
        if rot == Rot::Missing {
            state.names.remove(path);
            state.durable_names.remove(path);
            return true;
        }
        contents(&inode).spoil(rot, chance)
    }

    /// Bytes of all files together.
    pub fn used_bytes(&self) -> u64 {
        let state = self.state();
        let sizes = state
            .names
            .values()
            .map(|inode| contents(inode).cached.len());
        sizes.sum::<usize>() as u64
    }

    /// Power fails after this many more changes and syncs: everything from then on is an error,
    /// until [`SimDisk::crash`] says what is left.
    pub fn stop_after(&self, operations: u64) {
        self.state().operations_left = Some(operations);
    }

    /// Another disk with the same contents, as if everything had been synced.
    pub fn fork(&self, seed: u64) -> Self {
        let fork = Self::new(seed);
        for (path, inode) in &self.state().names {
            fork.put(path, &contents(inode).cached);
        }
        fork
    }

    /// The next sync of a file fails, and the pages it should have written are never written:
    /// later syncs succeed and say nothing about them.
    pub fn fail_next_sync(&self) {
        self.state().fail_next_sync = true;
    }

    /// No sync comes back from now on, as on a disk whose controller is gone; with `false` they all do.
    pub fn hang_syncs(&self, hang: bool) {
        let mut state = self.state();
        let hung = std::mem::replace(&mut state.hung, hang.then(Vec::new));
        drop(state);
        hung.into_iter().flatten().for_each(Waker::wake);
    }

    /// Files together may have this many bytes from now on.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.state().quota_bytes = bytes;
    }

    /// From here on no sync fails, and there is room.
    pub fn heal(&self) {
        let mut state = self.state();
        state.fail_next_sync = false;
        state.quota_bytes = None;
        drop(state);
        self.hang_syncs(false);
    }

    /// Flips one bit of a file, durably. Panics when there is no such byte.
    pub fn flip_bit(&self, path: &str, offset: usize, bit: u8) {
        let inode = self
            .state()
            .names
            .get(path)
            .cloned()
            .expect("the caller names an existing file");
        let mut contents = contents(&inode);
        contents.cached[offset] ^= 1 << bit;
        if let Some(byte) = contents.durable.get_mut(offset) {
            *byte ^= 1 << bit;
        }
    }

    /// Puts a file there, durably, from outside of any node.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let inode = Contents {
            cached: bytes.to_vec(),
            durable: bytes.to_vec(),
            unsynced: Vec::new(),
        };
        let inode = Arc::new(Mutex::new(inode));
        let mut state = self.state();
        state.names.insert(path.to_owned(), inode.clone());
        state.durable_names.insert(path.to_owned(), inode);
    }

    /// Takes a file away, durably, from outside of any node.
    pub fn take(&self, path: &str) {
        let mut state = self.state();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// A file as readers see it.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let inode = self.state().names.get(path).cloned()?;
        let cached = contents(&inode).cached.clone();
        Some(cached)
    }

    /// All paths, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// Times a file was synced.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds the disk")
    }
}

fn contents(inode: &Inode) -> MutexGuard<'_, Contents> {
    inode
        .lock()
        .expect("only a bad offset in a test panics while it holds a file")
}

impl State {
    fn change(&mut self, op: NameOp) {
        op.apply(&mut self.names);
        self.unsynced_names.push(op);
    }

    fn sync_names(&mut self, dir: &str) {
        let (synced, rest): (Vec<NameOp>, _) = self
            .unsynced_names
            .drain(..)
            .partition(|op| op.touches(dir));
        self.unsynced_names = rest;
        for op in synced {
            op.apply(&mut self.durable_names);
        }
    }

    fn allows(&self, growth: usize) -> io::Result<()> {
        let Some(quota) = self.quota_bytes else {
            return Ok(());
        };
        let used: u64 = self
            .names
            .values()
            .map(|inode| contents(inode).cached.len() as u64)
            .sum();
        if used + growth as u64 > quota {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

impl NameOp {
    fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((path, inode)) = &self.there {
            names.insert(path.clone(), inode.clone());
        }
    }

    fn touches(&self, dir: &str) -> bool {
        let inside = |path: &String| directory(path) == dir;
        self.gone.as_ref().is_some_and(inside)
            || self.there.as_ref().is_some_and(|(path, _)| inside(path))
    }
}

impl Contents {
    fn perform(&mut self, op: FileOp) {
        op.apply(&mut self.cached);
        self.unsynced.push(op);
    }

    fn sync(&mut self) {
        for op in self.unsynced.drain(..) {
            op.apply(&mut self.durable);
        }
    }

    fn spoil(&mut self, rot: Rot, chance: u64) -> bool {
        let used = self.cached.iter().rposition(|byte| *byte != 0);
        let Some(used) = used.map(|last| last + 1) else {
            return false;
        };
        let sectors = used / SECTOR_BYTES;
        let pick = |bound: usize, salt: u64| {
            let mut chance = Chance(chance ^ salt);
            chance.below(bound)
        };
        let whole = |number: usize| number * SECTOR_BYTES..(number + 1) * SECTOR_BYTES;
        match rot {
            Rot::BitFlip => self.cached[pick(used, 1)] ^= 1 << pick(8, 2),
            // The last sector in use is spared: a lost one and one never written look the same.
            Rot::Misdirected | Rot::Stale if sectors < 2 => return false,
            Rot::Misdirected => {
                let (from, to) = (pick(sectors, 1), pick(sectors, 2));
                if self.cached[whole(from)] == self.cached[whole(to)] {
                    return false;
                }
                self.cached.copy_within(whole(from), to * SECTOR_BYTES);
            }
            Rot::Stale => {
                let sector = &mut self.cached[whole(pick(sectors, 1))];
                if sector.iter().all(|byte| *byte == 0) {
                    return false;
                }
                sector.fill(0);
            }
            Rot::Short => self.cached.truncate(pick(used, 1)),
            Rot::Missing => return false,
        }
        self.durable.clone_from(&self.cached);
        self.unsynced.clear();
        true
    }

    fn crash(&mut self, mode: CrashMode, chance: &mut Chance, lost: &mut Lost) {
        let ops = std::mem::take(&mut self.unsynced);
        match mode {
            CrashMode::LoseUnsynced | CrashMode::KeepAll => lost.operations += ops.len(),
            CrashMode::KeepPrefix => {
                let kept = chance.below(ops.len() + 1);
                lost.operations += ops.len() - kept;
                ops[..kept]
                    .iter()
                    .for_each(|op| op.apply(&mut self.durable));
                if let Some(FileOp::Write { offset, bytes }) = ops.get(kept) {
                    let bytes = bytes.slice(..chance.below(bytes.len() + 1));
                    lost.torn += usize::from(!bytes.is_empty());
                    FileOp::Write {
                        offset: *offset,
                        bytes,
                    }
                    .apply(&mut self.durable);
                }
            }
            CrashMode::KeepSubset => {
                for op in ops {
                    let pieces = op.sectors();
                    let mut kept = 0;
                    for piece in &pieces {
                        if chance.below(2) == 0 {
                            piece.apply(&mut self.durable);
                            kept += 1;
                        }
                    }
                    lost.operations += usize::from(kept < pieces.len());
                    lost.torn += usize::from(0 < kept && kept < pieces.len());
                }
            }
        }
        self.cached.clone_from(&self.durable);
    }
}

impl FileOp {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(bytes);
            }
            Self::SetLen(len) => file.resize(*len, 0),
        }
    }

    /// The parts of which each may survive without the others.
    fn sectors(&self) -> Vec<Self> {
        let Self::Write { offset, bytes } = self else {
            return vec![self.clone()];
        };
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + SECTOR_BYTES - (offset + at) % SECTOR_BYTES).min(bytes.len());
            pieces.push(Self::Write {
                offset: offset + at,
                bytes: bytes.slice(at..end),
            });
            at = end;
        }
        pieces
    }
}

pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// A small generator (SplitMix64, Steele et al., OOPSLA'14): all a disk needs of chance.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        usize::try_from(z % bound as u64).expect("smaller than a usize")
    }
}

struct Mount {
    disk: SimDisk,
    epoch: u64,
}

impl Mount {
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        alive(&self.disk, self.epoch)
    }

    fn open_now(&self, path: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let mut state = self.alive()?;
        let inode = match state.names.get(path) {
            Some(inode) => inode.clone(),
            None if create => {
                let inode = Inode::default();
                state.change(NameOp {
                    gone: None,
                    there: Some((path.to_owned(), inode.clone())),
                });
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(OpenFile {
            disk: self.disk.clone(),
            epoch: self.epoch,
            inode,
        }))
    }

    fn list_now(&self, dir: &str) -> io::Result<Vec<String>> {
        let state = self.alive()?;
        let inside = state.names.keys().filter(|path| directory(path) == dir);
        Ok(inside
            .map(|path| path.rsplit('/').next().unwrap_or(path).to_owned())
            .collect())
    }

    fn rename_now(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = changing(&self.disk, self.epoch)?;
        let inode = state
            .names
            .get(from)
            .cloned()
            .ok_or(io::ErrorKind::NotFound)?;
        state.change(NameOp {
            gone: Some(from.to_owned()),
            there: Some((to.to_owned(), inode)),
        });
        Ok(())
    }

    fn remove_now(&self, path: &str) -> io::Result<()> {
        let mut state = changing(&self.disk, self.epoch)?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(NameOp {
            gone: Some(path.to_owned()),
            there: None,
        });
        Ok(())
    }

    fn lock_now(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.alive()?;
        if state.locked {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "the disk is in use by a node that has not crashed",
            ));
        }
        state.locked = true;
        Ok(Box::new(Lock {
            disk: self.disk.clone(),
            epoch: self.epoch,
        }))
    }
}

/// The state, if power has not failed; counts an operation that changes or syncs something.
fn changing(disk: &SimDisk, epoch: u64) -> io::Result<MutexGuard<'_, State>> {
    let mut state = alive(disk, epoch)?;
    if let Some(left) = state.operations_left.as_mut() {
        *left = left.checked_sub(1).ok_or_else(crashed)?;
    }
    Ok(state)
}

fn crashed() -> io::Error {
    io::Error::other("the node has crashed")
}

fn alive(disk: &SimDisk, epoch: u64) -> io::Result<MutexGuard<'_, State>> {
    let state = disk.state();
    if state.epoch == epoch {
        Ok(state)
    } else {
        Err(crashed())
    }
}

impl Disk for Mount {
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>> {
        Box::pin(async move { self.open_now(path, create) })
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<Vec<String>>> {
        Box::pin(async move { self.list_now(dir) })
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.rename_now(from, to) })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.remove_now(path) })
    }

    fn sync_dir<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            changing(&self.disk, self.epoch)?.sync_names(dir);
            Ok(())
        })
    }

    fn space<'a>(&'a self) -> BoxFuture<'a, io::Result<Option<Space>>> {
        Box::pin(async move {
            let quota = self.alive()?.quota_bytes;
            Ok(quota.map(|total| Space {
                free: total.saturating_sub(self.disk.used_bytes()),
                total,
            }))
        })
    }

    fn lock<'a>(&'a self) -> BoxFuture<'a, io::Result<Box<dyn Send + Sync>>> {
        Box::pin(async move { self.lock_now() })
    }
}

struct Lock {
    disk: SimDisk,
    epoch: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // After a crash the lock is the next node's.
        if let Ok(mut state) = alive(&self.disk, self.epoch) {
            state.locked = false;
        }
    }
}

struct OpenFile {
    disk: SimDisk,
    epoch: u64,
    inode: Inode,
}

impl OpenFile {
    fn perform(&self, op: FileOp) -> io::Result<()> {
        let state = changing(&self.disk, self.epoch)?;
        let end = match &op {
            FileOp::Write { offset, bytes } => offset + bytes.len(),
            FileOp::SetLen(len) => *len,
        };
        let growth = end.saturating_sub(contents(&self.inode).cached.len());
        if growth > 0 {
            state.allows(growth)?;
        }
        contents(&self.inode).perform(op);
        Ok(())
    }

    fn sync_now(&self) -> io::Result<()> {
        let mut state = changing(&self.disk, self.epoch)?;
        state.syncs += 1;
        if std::mem::take(&mut state.fail_next_sync) {
            contents(&self.inode).unsynced.clear();
            return Err(io::Error::other("input/output error (injected)"));
        }
        contents(&self.inode).sync();
        Ok(())
    }

    fn read_now(&self, offset: u64, count: usize) -> io::Result<Bytes> {
        let _alive = alive(&self.disk, self.epoch)?;
        let contents = contents(&self.inode);
        let start = to_usize(offset)?.min(contents.cached.len());
        let end = start.saturating_add(count).min(contents.cached.len());
        Ok(Bytes::copy_from_slice(&contents.cached[start..end]))
    }
}

fn to_usize(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl File for OpenFile {
    fn len<'a>(&'a self) -> BoxFuture<'a, io::Result<u64>> {
        Box::pin(async move {
            let _alive = alive(&self.disk, self.epoch)?;
            Ok(contents(&self.inode).cached.len() as u64)
        })
    }

    fn read_at<'a>(&'a self, offset: u64, count: usize) -> BoxFuture<'a, io::Result<Bytes>> {
        Box::pin(async move { self.read_now(offset, count) })
    }

    fn write_at<'a>(&'a self, offset: u64, bytes: Bytes) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.perform(FileOp::Write {
                offset: to_usize(offset)?,
                bytes,
            })
        })
    }

    fn set_len<'a>(&'a self, len: u64) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.perform(FileOp::SetLen(to_usize(len)?)) })
    }

    fn sync<'a>(&'a self) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            poll_fn(|cx| match &mut self.disk.state().hung {
                Some(waiting) => {
                    waiting.push(cx.waker().clone());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            })
            .await;
            self.sync_now()
        })
    }
}
