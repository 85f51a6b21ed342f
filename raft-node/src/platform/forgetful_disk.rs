//! A real disk that forgets what was not synced: a proof's tool, never production's.
//!
//! It stands between a node and another disk and keeps to itself, in memory, every write, every
//! new length, every created, renamed or removed name that no sync has covered yet. Readers see
//! them; the disk below does not. A sync carries them through and then syncs below. So the death of
//! the process (`kill -9`) is to its data what a power cut is to a machine, without one.
//!
//! ```text
//!  node ──► unsynced operations, in memory ──(sync, sync_dir)──► the disk below
//!           └── seen by readers               └── all that a restarted node finds
//! ```
//!
//! With a seed it also writes back early, as caches do: random sectors of random writes, and names
//! in their order, reach the disk below before anybody asks for a sync. Then a kill leaves torn and
//! reordered writes, not only lost ones.
//!
//! A new file lives below under a name nobody knows (`unsynced/N`) until its directory is synced;
//! taking the directory's lock sweeps what an earlier process left there. Directories themselves
//! are not forgotten. What does not go through the port (the read model) is not covered.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::lock::Mutex;

use super::Disk;
use super::disk::File;
use super::sim_disk::{Chance, SECTOR_BYTES, directory};

/// Where files without a durable name live below.
const HIDDEN: &str = "unsynced";
/// Put into a directory and taken out again to make sure that it exists.
const PROBE: &str = ".unsynced";
/// A disk that lies is honest for fewer syncs than this.
const HONEST_SYNCS_MAX: usize = 300;

/// How it forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// Whatever is not synced, as the seed has it: `None` forgets all of it, else some is written
    /// back early.
    Unsynced(Option<u64>),
    /// Lies: from some sync on, which the seed says, none is carried through, and all of them say
    /// they were. No node can keep its word on such a disk, and whoever judges one has to notice.
    Synced(u64),
}

impl FromStr for Forgetting {
    type Err = String;

    /// `forgets`, `forgets:SEED` or `lies:SEED`.
    fn from_str(words: &str) -> Result<Self, String> {
        let (how, seed) = match words.split_once(':') {
            Some((how, seed)) => (how, Some(seed.parse().map_err(|_| "not a seed")?)),
            None => (words, None),
        };
        match (how, seed) {
            ("forgets", early) => Ok(Self::Unsynced(early)),
            ("lies", Some(seed)) => Ok(Self::Synced(seed)),
            _ => Err("neither forgets, forgets:SEED nor lies:SEED".to_owned()),
        }
    }
}

/// See the module.
pub struct ForgetfulDisk {
    below: Arc<dyn Disk>,
    names: Mutex<Names>,
    early: Arc<Early>,
}

/// What is written back before its time, and for how long syncs are honest.
struct Early {
    chance: std::sync::Mutex<Option<Chance>>,
    /// Syncs until the lies begin; `None` for a disk that is honest.
    honest: Option<AtomicU64>,
}

/// The directory as readers see it, where it differs from the one below.
#[derive(Default)]
struct Names {
    /// Files opened or made here, by the name readers know.
    seen: BTreeMap<String, Arc<Inode>>,
    /// Names that exist below and not for readers.
    gone: BTreeSet<String>,
    unsynced: Vec<NameOp>,
    made: u64,
    directories: BTreeSet<String>,
}

enum NameOp {
    Move { from: String, to: String },
    Remove(String),
}

struct Inode {
    below: Arc<dyn File>,
    unsynced: Mutex<Vec<FileOp>>,
}

enum FileOp {
    Write { offset: u64, bytes: Bytes },
    SetLen(u64),
}

impl ForgetfulDisk {
    /// Over another disk.
    pub fn new(below: Arc<dyn Disk>, forgetting: Forgetting) -> Self {
        let (chance, honest) = match forgetting {
            Forgetting::Unsynced(early) => (early.map(Chance), None),
            Forgetting::Synced(seed) => (None, Some(Chance(seed).below(HONEST_SYNCS_MAX) as u64)),
        };
        let early = Early {
            chance: std::sync::Mutex::new(chance),
            honest: honest.map(AtomicU64::new),
        };
        Self {
            below,
            names: Mutex::default(),
            early: Arc::new(early),
        }
    }

    async fn inode(&self, names: &mut Names, path: &str) -> io::Result<Arc<Inode>> {
        if let Some(inode) = names.seen.get(path) {
            return Ok(inode.clone());
        }
        if names.gone.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = Arc::new(Inode {
            below: self.below.open(path, false).await?,
            unsynced: Mutex::default(),
        });
        names.seen.insert(path.to_owned(), inode.clone());
        Ok(inode)
    }

    async fn create(&self, names: &mut Names, path: &str) -> io::Result<Arc<Inode>> {
        let inside = directory(path);
        if !inside.is_empty() && names.directories.insert(inside.to_owned()) {
            let probe = format!("{inside}/{PROBE}");
            self.below.open(&probe, true).await?;
            self.below.remove(&probe).await?;
        }
        names.made += 1;
        let hidden = format!("{HIDDEN}/{}", names.made);
        let inode = Arc::new(Inode {
            below: self.below.open(&hidden, true).await?,
            unsynced: Mutex::default(),
        });
        names.seen.insert(path.to_owned(), inode.clone());
        let (from, to) = (hidden, path.to_owned());
        self.change(names, NameOp::Move { from, to }).await?;
        Ok(inode)
    }

    /// Queues a change of names; now and then some of the queue is written back early.
    async fn change(&self, names: &mut Names, op: NameOp) -> io::Result<()> {
        names.unsynced.push(op);
        let early = self.early.below(2 * names.unsynced.len());
        if let Some(count) = early.filter(|count| *count < names.unsynced.len()) {
            for op in names.unsynced.drain(..count) {
                op.apply(&*self.below).await?;
            }
        }
        Ok(())
    }

    async fn open_file(&self, path: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let mut names = self.names.lock().await;
        let inode = match self.inode(&mut names, path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                self.create(&mut names, path).await?
            }
            other => other?,
        };
        let early = self.early.clone();
        Ok(Arc::new(OpenFile { inode, early }))
    }

    async fn list_files(&self, dir: &str) -> io::Result<Vec<String>> {
        let names = self.names.lock().await;
        let path = |name: &String| match dir {
            "" => name.clone(),
            _ => format!("{dir}/{name}"),
        };
        let below = self.below.list(dir).await?.into_iter();
        let below = below.filter(|name| name != PROBE && !names.gone.contains(&path(name)));
        let seen = names.seen.keys().filter(|path| directory(path) == dir);
        let seen = seen.map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
        let all: BTreeSet<String> = below.chain(seen).collect();
        Ok(all.into_iter().collect())
    }

    async fn rename_file(&self, from: &str, to: &str) -> io::Result<()> {
        let mut names = self.names.lock().await;
        let inode = self.inode(&mut names, from).await?;
        names.seen.remove(from);
        names.seen.insert(to.to_owned(), inode);
        names.gone.insert(from.to_owned());
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change(&mut names, NameOp::Move { from, to }).await
    }

    async fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut names = self.names.lock().await;
        self.inode(&mut names, path).await?;
        names.seen.remove(path);
        names.gone.insert(path.to_owned());
        self.change(&mut names, NameOp::Remove(path.to_owned()))
            .await
    }

    /// Carries through what touches `dir`, and what that depends on, in order.
    async fn sync_names(&self, dir: &str) -> io::Result<()> {
        if self.early.lies() {
            return Ok(());
        }
        let mut names = self.names.lock().await;
        let mut dirs = BTreeSet::from([dir.to_owned()]);
        let mut due = vec![false; names.unsynced.len()];
        for (op, due) in names.unsynced.iter().zip(&mut due).rev() {
            *due = op.directories().any(|one| dirs.contains(one));
            if *due {
                dirs.extend(op.directories().map(str::to_owned));
            }
        }
        let ops = std::mem::take(&mut names.unsynced);
        for (op, due) in ops.into_iter().zip(due) {
            match due {
                true => op.apply(&*self.below).await?,
                false => names.unsynced.push(op),
            }
        }
        for dir in &dirs {
            self.below.sync_dir(dir).await?;
        }
        names.gone.retain(|path| !dirs.contains(directory(path)));
        Ok(())
    }

    async fn take_lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let lock = self.below.lock().await?;
        for name in self.below.list(HIDDEN).await? {
            self.below.remove(&format!("{HIDDEN}/{name}")).await?;
        }
        Ok(lock)
    }
}

impl Early {
    /// A number below `bound`, if there is a seed.
    fn below(&self, bound: usize) -> Option<usize> {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.as_mut().map(|chance| chance.below(bound))
    }

    fn one_in(&self, count: usize) -> bool {
        self.below(count) == Some(0)
    }

    /// Whether the sync asked for now is not to be carried through.
    fn lies(&self) -> bool {
        let Some(honest) = &self.honest else {
            return false;
        };
        let left = honest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        left.is_err()
    }
}

impl NameOp {
    /// The directories it changes, as readers know them.
    fn directories(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Move { from, to } => (directory(to), Some(directory(from))),
            Self::Remove(path) => (directory(path), None),
        };
        let known = second.filter(|second| *second != HIDDEN);
        std::iter::once(first).chain(known)
    }

    async fn apply(&self, below: &dyn Disk) -> io::Result<()> {
        match self {
            Self::Move { from, to } => below.rename(from, to).await,
            Self::Remove(path) => below.remove(path).await,
        }
    }
}

impl FileOp {
    async fn apply(&self, below: &dyn File) -> io::Result<()> {
        match self {
            Self::Write { offset, bytes } => below.write_at(*offset, bytes.clone()).await,
            Self::SetLen(length) => below.set_len(*length).await,
        }
    }

    /// Parts of it that a disk writes whole or not at all.
    fn sectors(&self) -> Vec<Self> {
        let (offset, bytes) = match self {
            Self::Write { offset, bytes } => (offset, bytes),
            Self::SetLen(length) => return vec![Self::SetLen(*length)],
        };
        let sector = SECTOR_BYTES as u64;
        let (mut at, mut pieces) = (0, Vec::new());
        while at < bytes.len() {
            let room = sector - (offset + at as u64) % sector;
            let end = bytes.len().min(at + room as usize);
            pieces.push(Self::Write {
                offset: offset + at as u64,
                bytes: bytes.slice(at..end),
            });
            at = end;
        }
        pieces
    }
}

impl Inode {
    async fn change(&self, op: FileOp, early: &Early) -> io::Result<()> {
        let mut unsynced = self.unsynced.lock().await;
        if early.one_in(3) {
            for piece in op.sectors() {
                if early.one_in(2) {
                    piece.apply(&*self.below).await?;
                }
            }
        }
        // Whatever went early is done again in its turn, so what readers see stays the same.
        unsynced.push(op);
        Ok(())
    }

    async fn length(&self, unsynced: &[FileOp]) -> io::Result<u64> {
        let below = self.below.len().await?;
        Ok(unsynced.iter().fold(below, |length, op| match op {
            FileOp::Write { offset, bytes } => length.max(offset + bytes.len() as u64),
            FileOp::SetLen(length) => *length,
        }))
    }

    async fn read(&self, offset: u64, count: usize) -> io::Result<Bytes> {
        let unsynced = self.unsynced.lock().await;
        if unsynced.is_empty() {
            return self.below.read_at(offset, count).await;
        }
        let left = self.length(&unsynced).await?.saturating_sub(offset);
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut view = BytesMut::from(&self.below.read_at(offset, count).await?[..]);
        view.resize(count, 0);
        let index = |at: u64| at.saturating_sub(offset).min(count as u64) as usize;
        for op in unsynced.iter() {
            match op {
                FileOp::SetLen(length) => view[index(*length)..].fill(0),
                FileOp::Write { offset: at, bytes } => {
                    let (from, to) = (index(*at), index(at + bytes.len() as u64));
                    let skipped = usize::try_from(offset.saturating_sub(*at));
                    let skipped = skipped.map_err(|_| io::ErrorKind::FileTooLarge)?;
                    if from < to {
                        view[from..to].copy_from_slice(&bytes[skipped..skipped + (to - from)]);
                    }
                }
            }
        }
        Ok(view.freeze())
    }

    async fn sync(&self, early: &Early) -> io::Result<()> {
        if early.lies() {
            return Ok(());
        }
        let mut unsynced = self.unsynced.lock().await;
        for op in unsynced.drain(..) {
            op.apply(&*self.below).await?;
        }
        self.below.sync().await
    }
}

impl Disk for ForgetfulDisk {
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>> {
        Box::pin(self.open_file(path, create))
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<Vec<String>>> {
        Box::pin(self.list_files(dir))
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.rename_file(from, to))
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.remove_file(path))
    }

    fn sync_dir<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.sync_names(dir))
    }

    fn lock<'a>(&'a self) -> BoxFuture<'a, io::Result<Box<dyn Send + Sync>>> {
        Box::pin(self.take_lock())
    }
}

struct OpenFile {
    inode: Arc<Inode>,
    early: Arc<Early>,
}

impl File for OpenFile {
    fn len<'a>(&'a self) -> BoxFuture<'a, io::Result<u64>> {
        Box::pin(async move {
            let unsynced = self.inode.unsynced.lock().await;
            self.inode.length(&unsynced).await
        })
    }

    fn read_at<'a>(&'a self, offset: u64, count: usize) -> BoxFuture<'a, io::Result<Bytes>> {
        Box::pin(self.inode.read(offset, count))
    }

    fn write_at<'a>(&'a self, offset: u64, bytes: Bytes) -> BoxFuture<'a, io::Result<()>> {
        let op = FileOp::Write { offset, bytes };
        Box::pin(self.inode.change(op, &self.early))
    }

    fn set_len<'a>(&'a self, len: u64) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.inode.change(FileOp::SetLen(len), &self.early))
    }

    fn sync<'a>(&'a self) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.inode.sync(&self.early))
    }
}
