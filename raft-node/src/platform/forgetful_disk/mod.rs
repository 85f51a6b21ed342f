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

mod early;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::lock::Mutex;

pub use early::Forgetting;

use super::Disk;
use super::disk::{File, Space};
use super::sim_disk::directory;
use early::Early;
use file::{Inode, OpenFile};

/// Where files without a durable name live below.
const HIDDEN: &str = "unsynced";
/// Put into a directory and taken out again to make sure that it exists.
const PROBE: &str = ".unsynced";

/// See the module.
pub struct ForgetfulDisk {
    below: Arc<dyn Disk>,
    names: Mutex<Names>,
    early: Arc<Early>,
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

impl ForgetfulDisk {
    /// Over another disk.
    pub fn new(below: Arc<dyn Disk>, forgetting: Forgetting) -> Self {
        Self {
            below,
            names: Mutex::default(),
            early: Arc::new(Early::new(forgetting)),
        }
    }

    async fn inode(&self, names: &mut Names, path: &str) -> io::Result<Arc<Inode>> {
        if let Some(inode) = names.seen.get(path) {
            return Ok(inode.clone());
        }
        if names.gone.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = Inode::new(self.below.open(path, false).await?);
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
        let inode = Inode::new(self.below.open(&hidden, true).await?);
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

    fn space<'a>(&'a self) -> BoxFuture<'a, io::Result<Option<Space>>> {
        self.below.space()
    }

    fn lock<'a>(&'a self) -> BoxFuture<'a, io::Result<Box<dyn Send + Sync>>> {
        Box::pin(self.take_lock())
    }
}
