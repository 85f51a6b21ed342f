//! The real machine: its clock, its entropy, a directory of its file system, its threads.
//!
//! A port: nothing here decides anything. Calls on files block; whoever may not be stalled by a
//! disk works through the [`Spawner`].

#![expect(
    clippy::disallowed_methods,
    reason = "this is the port to which the rule sends everyone else"
)]

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::future::BoxFuture;

use super::disk::{File, Space};
use super::{Clock, Disk, Entropy, Platform, Spawner};

/// The file whose lock says that a process works on a directory.
const LOCK: &str = "lock";

impl Platform {
    /// The machine this process runs on, with `root` as the node's data directory; created when
    /// missing.
    pub fn os(root: &Path) -> io::Result<Self> {
        make_directory(root)?;
        Ok(Self {
            clock: Arc::new(OsClock {
                started: Instant::now(),
            }),
            entropy: Arc::new(OsEntropy::new()),
            disk: Arc::new(OsDisk {
                root: root.canonicalize()?,
            }),
            spawner: Arc::new(OsSpawner),
        })
    }
}

struct OsClock {
    started: Instant,
}

impl Clock for OsClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Bytes asked of the operating system at once.
const POOL_BYTES: usize = 4096;

/// The operating system's chance, asked for by the page: every request and every entry draws some.
struct OsEntropy {
    pool: Mutex<Pool>,
}

/// Bytes drawn ahead; those handed out are wiped.
struct Pool {
    bytes: Box<[u8; POOL_BYTES]>,
    used: usize,
}

impl OsEntropy {
    fn new() -> Self {
        let pool = Pool {
            bytes: Box::new([0; POOL_BYTES]),
            used: POOL_BYTES,
        };
        Self {
            pool: Mutex::new(pool),
        }
    }
}

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > POOL_BYTES {
            return draw(bytes);
        }
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.used + bytes.len() > POOL_BYTES {
            draw(&mut *pool.bytes);
            pool.used = 0;
        }
        let (from, to) = (pool.used, pool.used + bytes.len());
        let drawn = &mut pool.bytes[from..to];
        bytes.copy_from_slice(drawn);
        drawn.fill(0);
        pool.used = to;
    }
}

fn draw(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        tracing::error!(%error, "the operating system gives no entropy; stopping");
        std::process::abort();
    }
}

/// Threads that run one future each. The future may wait for channels and files, not for
/// timers or sockets: there is no reactor in the thread.
struct OsSpawner;

impl Spawner for OsSpawner {
    fn spawn_io(&self, name: &str, future: BoxFuture<'static, ()>) {
        let thread = thread::Builder::new().name(name.to_owned());
        if let Err(error) = thread.spawn(move || run_to_end(future)) {
            // Dropping the future wakes whoever waits for its channels.
            tracing::error!(%error, name, "cannot start a thread");
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn run_to_end(mut future: BoxFuture<'static, ()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    while future.as_mut().poll(&mut context).is_pending() {
        // A wake between the poll and this is not lost: it makes `park` return at once.
        thread::park();
    }
}

/// A directory of the file system.
struct OsDisk {
    root: PathBuf,
}

impl OsDisk {
    /// Refuses paths that lead out of the directory.
    fn locate(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        if relative
            .components()
            .any(|component| !matches!(component, Component::Normal(_)))
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{path} leads out of the data directory"),
            ));
        }
        Ok(self.root.join(relative))
    }

    fn open_now(&self, path: &str, create: bool) -> io::Result<Arc<dyn File>> {
        let path = self.locate(path)?;
        if create && let Some(parent) = path.parent() {
            make_directory(parent)?;
        }
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)?;
        Ok(Arc::new(OsFile { file }))
    }

    fn list_now(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.locate(dir)?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn lock_now(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.root.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {
                // Who holds it is for people; a full disk must not keep a node from starting.
                if let Err(error) = sign(&mut file) {
                    tracing::warn!(%error, "the lock does not say who holds it");
                }
                Ok(Box::new(file))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(error),
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                let root = self.root.display();
                Err(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    format!("{root} is in use by process {holder}"),
                ))
            }
        }
    }
}

impl Disk for OsDisk {
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>> {
        Box::pin(async move { self.open_now(path, create) })
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<Vec<String>>> {
        Box::pin(async move { self.list_now(dir) })
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { std::fs::rename(self.locate(from)?, self.locate(to)?) })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { std::fs::remove_file(self.locate(path)?) })
    }

    fn sync_dir<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { sync_directory(&self.locate(dir)?) })
    }

    fn space<'a>(&'a self) -> BoxFuture<'a, io::Result<Option<Space>>> {
        Box::pin(async move {
            let told = rustix::fs::statvfs(&self.root)?;
            // What is kept for the superuser is not ours to use.
            let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
            Ok(Some(Space {
                free: bytes(told.f_bavail),
                total: bytes(told.f_blocks),
            }))
        })
    }

    fn lock<'a>(&'a self) -> BoxFuture<'a, io::Result<Box<dyn Send + Sync>>> {
        Box::pin(async move { self.lock_now() })
    }
}

fn sign(lock: &mut std::fs::File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.seek(SeekFrom::Start(0))?;
    write!(lock, "{}", std::process::id())
}

/// Makes a directory and its parents, each durably named in the one above it.
fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_directory(parent)?;
    }
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_directory(parent.unwrap_or(Path::new("."))),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

struct OsFile {
    file: std::fs::File,
}

impl OsFile {
    fn read_now(&self, offset: u64, count: usize) -> io::Result<Bytes> {
        // Never a buffer larger than the file: `count` may come from a caller's guess.
        let left = self.file.metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; count.min(usize::try_from(left).unwrap_or(usize::MAX))];
        let mut read = 0;
        while read < bytes.len() {
            match self.file.read_at(&mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(read);
        Ok(Bytes::from(bytes))
    }
}

impl File for OsFile {
    fn len<'a>(&'a self) -> BoxFuture<'a, io::Result<u64>> {
        Box::pin(async move { Ok(self.file.metadata()?.len()) })
    }

    fn read_at<'a>(&'a self, offset: u64, count: usize) -> BoxFuture<'a, io::Result<Bytes>> {
        Box::pin(async move { self.read_now(offset, count) })
    }

    fn write_at<'a>(&'a self, offset: u64, bytes: Bytes) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.file.write_all_at(&bytes, offset) })
    }

    fn set_len<'a>(&'a self, len: u64) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.file.set_len(len) })
    }

    fn sync<'a>(&'a self) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.file.sync_data() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_never_handed_out_twice() {
        let entropy = OsEntropy::new();
        let draws = 3 * POOL_BYTES / 32 + 1;
        let drawn: std::collections::BTreeSet<_> = (0..draws).map(|_| entropy.next_32()).collect();
        assert_eq!(drawn.len(), draws);
        let mut large = vec![0; POOL_BYTES + 1];
        entropy.fill(&mut large);
        assert!(large.iter().any(|byte| *byte != 0));
    }
}
