//! The platform of a simulated node: a clock that may be off, entropy from the seed, a disk that
//! takes its time, tasks instead of threads.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use raft_node::platform::disk::{File, Space};
use raft_node::platform::{Clock, Disk, Entropy, Platform, Spawner};

use crate::fault::Tally;
use crate::scenario::Scenario;
use crate::seed::Stream;

/// When simulated time begins: 2026-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// A machine's clock: off by something, and a little too fast or too slow. Processes come and go,
/// it stays.
pub struct Hands {
    drift_ppm: i64,
    ahead_ms: Mutex<i64>,
}

impl Hands {
    /// A clock that is so much ahead, and runs so many millionths too fast.
    pub fn new(ahead_ms: i64, drift_ppm: i64) -> Self {
        Self {
            drift_ppm,
            ahead_ms: Mutex::new(ahead_ms),
        }
    }

    /// Moves the wall clock.
    pub fn shift(&self, by_ms: i64) {
        *self.ahead() += by_ms;
    }

    /// Sets the wall clock right, as a time server does.
    pub fn set_right(&self) {
        let drifted = self.monotonic().as_millis() as i64 - elapsed().as_millis() as i64;
        *self.ahead() = -drifted;
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, i64> {
        self.ahead_ms.lock().expect("nobody panics holding it")
    }
}

impl Clock for Hands {
    fn now_ms(&self) -> u64 {
        let since = self.monotonic().as_millis() as u64;
        (EPOCH_MS + since).saturating_add_signed(*self.ahead())
    }

    fn monotonic(&self) -> Duration {
        let nanos = elapsed().as_nanos() as u64;
        let drift = nanos as i128 * i128::from(self.drift_ppm) / 1_000_000;
        Duration::from_nanos(nanos.saturating_add_signed(drift as i64))
    }
}

/// Time since the world began.
pub fn elapsed() -> Duration {
    madsim::time::TimeHandle::current().elapsed()
}

/// The world's true wall clock.
pub fn world_now_ms() -> u64 {
    EPOCH_MS + elapsed().as_millis() as u64
}

struct SimEntropy(Stream);

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.0.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

struct TaskSpawner;

impl Spawner for TaskSpawner {
    fn spawn_io(&self, _name: &str, future: BoxFuture<'static, ()>) {
        tokio::spawn(future);
    }
}

/// A disk whose syncs take time, so that others act in between.
struct SlowDisk {
    disk: Arc<dyn Disk>,
    pace: Arc<Pace>,
}

/// How long a machine's syncs take. Processes come and go, it stays.
pub struct Pace {
    chance: Stream,
    sync_ms_max: u64,
    stall: Mutex<Stall>,
    tally: Arc<Tally>,
}

/// A disk that stands still.
#[derive(Default)]
struct Stall {
    until: Duration,
    /// Only what lies in this folder.
    folder: Option<&'static str>,
    /// Syncs that get through all the same.
    passes: u32,
}

impl Pace {
    /// The pace of a node's disk.
    pub fn new(scenario: &Scenario, node: usize, tally: Arc<Tally>) -> Self {
        Self {
            chance: Stream::new(scenario.entropy, &format!("disk pace {node}")),
            sync_ms_max: scenario.sync_ms_max,
            stall: Mutex::default(),
            tally,
        }
    }

    /// Nothing is synced for so long from now on, or nothing in this folder.
    pub fn stall(&self, folder: Option<&'static str>, length: Duration) {
        *self.stalled() = Stall {
            until: elapsed() + length,
            folder,
            passes: 0,
        };
    }

    /// Everything is synced again.
    pub fn go_on(&self) {
        *self.stalled() = Stall::default();
    }

    /// One sync that waits, or the next that would, gets through.
    pub fn let_one_pass(&self) {
        self.stalled().passes += 1;
    }

    fn stalled(&self) -> std::sync::MutexGuard<'_, Stall> {
        self.stall.lock().expect("nobody panics holding it")
    }

    /// Whether a sync of this file has to wait.
    fn holds_up(&self, path: &str) -> bool {
        let mut stall = self.stalled();
        let meant = stall.folder.is_none_or(|folder| path.starts_with(folder));
        if !meant || stall.until <= elapsed() {
            return false;
        }
        let passes = stall.passes;
        stall.passes = passes.saturating_sub(1);
        passes == 0
    }

    async fn sync(&self, path: &str) {
        let ms = self.chance.between(1, self.sync_ms_max);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let mut waited = false;
        while self.holds_up(path) {
            if !std::mem::replace(&mut waited, true) {
                self.tally
                    .count("21 a sync waits for a disk that stands still");
            }
            // In pieces: the world may heal meanwhile.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

struct SlowFile {
    path: String,
    file: Arc<dyn File>,
    pace: Arc<Pace>,
}

impl Disk for SlowDisk {
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>> {
        Box::pin(async move {
            let file = self.disk.open(path, create).await?;
            Ok(Arc::new(SlowFile {
                path: path.to_owned(),
                file,
                pace: self.pace.clone(),
            }) as Arc<dyn File>)
        })
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<Vec<String>>> {
        self.disk.list(dir)
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, io::Result<()>> {
        self.disk.rename(from, to)
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, io::Result<()>> {
        self.disk.remove(path)
    }

    fn sync_dir<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.pace.sync(&format!("{dir}/")).await;
            self.disk.sync_dir(dir).await
        })
    }

    fn space(&self) -> BoxFuture<'_, io::Result<Option<Space>>> {
        self.disk.space()
    }

    fn lock(&self) -> BoxFuture<'_, io::Result<Box<dyn Send + Sync>>> {
        self.disk.lock()
    }
}

impl File for SlowFile {
    fn len(&self) -> BoxFuture<'_, io::Result<u64>> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, count: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        self.file.read_at(offset, count)
    }

    fn write_at(&self, offset: u64, bytes: Bytes) -> BoxFuture<'_, io::Result<()>> {
        self.file.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> BoxFuture<'_, io::Result<()>> {
        self.file.set_len(len)
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async move {
            self.pace.sync(&self.path).await;
            self.file.sync().await
        })
    }
}

/// The platform of node `node` in its life number `life`, over a mounted disk.
pub fn platform(
    scenario: &Scenario,
    node: usize,
    life: u64,
    disk: Arc<dyn Disk>,
    hands: &Arc<Hands>,
    pace: &Arc<Pace>,
) -> Platform {
    let chance = Stream::new(scenario.entropy, &format!("entropy {node} {life}"));
    Platform {
        clock: hands.clone(),
        entropy: Arc::new(SimEntropy(chance)),
        disk: Arc::new(SlowDisk {
            disk,
            pace: pace.clone(),
        }),
        spawner: Arc::new(TaskSpawner),
    }
}
