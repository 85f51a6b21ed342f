//! The database on disk: opened with suspicion, and thrown away at the first doubt.
//!
//! sled is the one part of a node that is not trusted (ADR 0001): damaged files make it panic.
//! Everything here is behind `catch_unwind`. Each database has a directory of its own, numbered,
//! so that one that was given up cannot write into its successor. A marker stands beside them
//! while one is being opened: an attempt that took the whole process with it is not repeated.
//!
//! These files are sled's own and do not go through the `Disk` port; the simulator runs without.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use ledger::ShardId;
use raft_node::storage::is_lack_of_room;

use super::codec::{Reader, Standing, read_chunk};
use super::keys;

/// Memory for pages.
const CACHE_BYTES: u64 = 32 << 20;
/// Stands while a database is being opened.
const OPENING: &str = "opening";

/// Locked by the process that works here.
const LOCK: &str = "lock";

/// Makes this process the only one that works under `root`, while the file lives. The node's own
/// lock comes later than the model's writer, and another node's database is not ours to give up.
pub fn lock(root: &Path) -> Result<fs::File, StoreError> {
    fs::create_dir_all(root)?;
    let file = fs::File::create(root.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::Error(error)) => Err(error.into()),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process works there").into())
        }
    }
}

/// Whose model it is; another's is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The cluster.
    pub cluster: u128,
    /// The node.
    pub node: u64,
}

impl Owner {
    fn encode(self) -> Vec<u8> {
        let mut bytes = keys::FORMAT.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.cluster.to_be_bytes());
        bytes.extend_from_slice(&self.node.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let format = reader.u32()?;
        let owner = Self {
            cluster: reader.u128()?,
            node: reader.u64()?,
        };
        (format == keys::FORMAT).then_some(owner)
    }
}

/// Why a database is of no use.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Files.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The database said so.
    #[error(transparent)]
    Sled(#[from] sled::Error),
    /// It panicked.
    #[error("the database panicked: {0}")]
    Panicked(String),
    /// What it holds makes no sense.
    #[error("{0}")]
    Damaged(&'static str),
}

impl StoreError {
    /// Nothing is wrong with the database: the disk is full.
    pub fn lacks_room(&self) -> bool {
        match self {
            Self::Io(error) | Self::Sled(sled::Error::Io(error)) => is_lack_of_room(error),
            _ => false,
        }
    }
}

/// An open database.
pub struct Store {
    pub(super) db: sled::Db,
    /// Of its directory.
    number: u64,
    closed: AtomicBool,
    starved: AtomicBool,
}

impl Store {
    /// The shard's standing, if it has one.
    pub fn standing(&self, shard: ShardId) -> Result<Option<Standing>, StoreError> {
        let Some(bytes) = self.db.get(keys::standing(shard))? else {
            return Ok(None);
        };
        Standing::decode(&bytes)
            .map(Some)
            .ok_or(StoreError::Damaged("a standing"))
    }

    /// Number of the last fact of a shard that is in people's lists.
    pub fn listed(&self, shard: ShardId) -> Result<u64, StoreError> {
        let bytes = self.db.get(keys::listed(shard))?;
        let number = bytes.as_deref().map_or(Some(0), keys::last_u64);
        number.ok_or(StoreError::Damaged("how far lists go"))
    }

    /// Number of its directory.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// It is not to be used any more: the database remembers an error for ever. What is on the disk
    /// is of use again once there is room, if that was all it lacked.
    fn close(&self, why: &StoreError) {
        self.starved.store(why.lacks_room(), Ordering::Relaxed);
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether it is to be used.
    fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }

    /// Whether it was closed for want of room.
    pub fn starved(&self) -> bool {
        !self.is_open() && self.starved.load(Ordering::Relaxed)
    }
}

/// Runs what may panic on damage.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Whatever a panic leaves half done is in a database that is then given up.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(StoreError::Panicked(text.unwrap_or_default()))
    })
}

/// Opens the newest database under `root`, or an empty one when it is missing, damaged, foreign or
/// took the process down before. Those numbered up to `given_up` were in use by this process and
/// are of no use any more.
pub fn open(
    root: &Path,
    owner: Owner,
    shards: &[ShardId],
    given_up: u64,
) -> Result<Store, StoreError> {
    let marker = root.join(OPENING);
    let survived = !marker.exists();
    let numbers = numbered(root)?;
    let newest = numbers.last().copied().filter(|number| *number > given_up);
    fs::write(&marker, b"")?;
    let known = newest.map(|number| match survived {
        true => guarded(|| open_one(root, number, owner, shards)),
        false => Err(StoreError::Damaged(
            "the last attempt to open it was not survived",
        )),
    });
    let opened = match known {
        Some(Ok(store)) => Ok(store),
        Some(Err(error)) if error.lacks_room() => Err(error),
        other => {
            if let Some(Err(error)) = other {
                tracing::warn!(%error, "the read model cannot be used and is built anew");
            }
            let number = newest.unwrap_or(given_up) + 1;
            guarded(|| open_one(root, number, owner, shards))
        }
    };
    // It was survived, however it went.
    fs::remove_file(&marker)?;
    let store = opened?;
    for number in numbers {
        if number != store.number {
            remove(&directory(root, number));
        }
    }
    Ok(store)
}

fn remove(directory: &Path) {
    if let Err(error) = fs::remove_dir_all(directory)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, directory = %directory.display(), "an old read model stays");
    }
}

fn open_one(
    root: &Path,
    number: u64,
    owner: Owner,
    shards: &[ShardId],
) -> Result<Store, StoreError> {
    // The writer flushes by itself: sled's own flusher would panic in a thread of its own.
    let config = sled::Config::new()
        .path(directory(root, number))
        .cache_capacity(CACHE_BYTES);
    let db = config.flush_every_ms(None).open()?;
    let store = Store {
        db,
        number,
        closed: AtomicBool::new(false),
        starved: AtomicBool::new(false),
    };
    match store.db.get(keys::OWNER)? {
        None if store.db.is_empty() => {
            let mut batch = sled::Batch::default();
            for shard in shards {
                batch.insert(keys::standing(*shard), Standing::default().encode());
            }
            batch.insert(&keys::OWNER, owner.encode());
            store.db.apply_batch(batch)?;
        }
        Some(bytes) if Owner::decode(&bytes) == Some(owner) => {}
        Some(_) | None => return Err(StoreError::Damaged("it is another node's")),
    }
    for shard in shards {
        check(&store, *shard)?;
    }
    Ok(store)
}

/// Whether the end of a shard's feed is where its standing says.
fn check(store: &Store, shard: ShardId) -> Result<(), StoreError> {
    let damaged = StoreError::Damaged("a feed does not end where it should");
    let Some(standing) = store.standing(shard)? else {
        return Ok(());
    };
    if standing.through < standing.first {
        return Ok(());
    }
    let Some(last) = store.db.scan_prefix(keys::chunks(shard)).next_back() else {
        return Err(damaged);
    };
    let (key, bytes) = last?;
    let lines = keys::last_u64(&key).and_then(|first| read_chunk(first, &bytes));
    match lines.as_deref().and_then(<[_]>::last) {
        Some(line) if line.number == standing.through && line.index == standing.index => Ok(()),
        _ => Err(damaged),
    }
}

fn directory(root: &Path, number: u64) -> PathBuf {
    root.join(format!("{number:08}"))
}

fn numbered(root: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The database in use, if there is one; shared between the writer, who replaces it, and readers.
#[derive(Default)]
pub struct Slot {
    store: RwLock<Option<Arc<Store>>>,
    complete: AtomicBool,
}

impl Slot {
    /// Shows the database to `work`; a panic or an error in there closes it.
    pub fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> Option<T> {
        let store = self
            .store
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let store = store.filter(|store| store.is_open())?;
        let result = guarded(|| work(&store));
        if let Err(error) = &result {
            match error.lacks_room() {
                true => tracing::warn!(%error, "the read model waits for room"),
                false => tracing::warn!(%error, "the read model is damaged and will be built anew"),
            }
            store.close(error);
        }
        discard(store);
        result.ok()
    }

    /// Replaces the database; the old one, which is told, goes when its last reader has.
    pub fn put(&self, store: Option<Store>) -> Weak<Store> {
        let store = store.map(Arc::new);
        let old = std::mem::replace(
            &mut *self.store.write().unwrap_or_else(PoisonError::into_inner),
            store,
        );
        let Some(old) = old else {
            return Weak::new();
        };
        let gone = Arc::downgrade(&old);
        discard(old);
        gone
    }

    /// Whether the database was closed for want of room.
    pub fn starved(&self) -> bool {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.as_ref().is_some_and(|store| store.starved())
    }

    /// Whether there is a database to ask.
    pub fn is_open(&self) -> bool {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.as_ref().is_some_and(|store| store.is_open())
    }

    /// Whether every shard's facts are in it.
    pub fn complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Says so.
    pub fn set_complete(&self, complete: bool) {
        self.complete.store(complete, Ordering::Relaxed);
    }
}

/// Drops a database, which may panic.
fn discard(store: Arc<Store>) {
    let _ = guarded(|| {
        drop(store);
        Ok(())
    });
}
