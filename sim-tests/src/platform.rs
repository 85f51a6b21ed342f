//! The platform of a simulated node: a clock that may be off, entropy from the seed, a disk that
//! takes its time, tasks instead of threads.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use raft_node::platform::disk::File;
use raft_node::platform::{Clock, Disk, Entropy, Platform, Spawner};

use crate::scenario::Scenario;
use crate::seed::Stream;

/// When simulated time begins: 2026-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// Simulated time, off by a constant.
pub struct SimClock {
    /// Milliseconds ahead of the world.
    pub skew_ms: i64,
}

/// Time since the world began.
pub fn elapsed() -> Duration {
    madsim::time::TimeHandle::current().elapsed()
}

/// The world's true wall clock.
pub fn world_now_ms() -> u64 {
    EPOCH_MS + elapsed().as_millis() as u64
}

impl Clock for SimClock {
    fn now_ms(&self) -> u64 {
        world_now_ms().saturating_add_signed(self.skew_ms)
    }

    fn monotonic(&self) -> Duration {
        elapsed()
    }
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

struct Pace {
    chance: Stream,
    sync_ms_max: u64,
}

impl Pace {
    async fn sync(&self) {
        tokio::time::sleep(Duration::from_millis(
            self.chance.between(1, self.sync_ms_max),
        ))
        .await;
    }
}

struct SlowFile {
    file: Arc<dyn File>,
    pace: Arc<Pace>,
}

impl Disk for SlowDisk {
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>> {
        Box::pin(async move {
            let file = self.disk.open(path, create).await?;
            Ok(Arc::new(SlowFile {
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
            self.pace.sync().await;
            self.disk.sync_dir(dir).await
        })
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
            self.pace.sync().await;
            self.file.sync().await
        })
    }
}

/// The platform of node `node` in its life number `life`, over a mounted disk.
pub fn platform(scenario: &Scenario, node: usize, life: u64, disk: Arc<dyn Disk>) -> Platform {
    let stream = |name: &str| Stream::new(scenario.entropy, &format!("{name} {node} {life}"));
    let pace = Pace {
        chance: stream("disk pace"),
        sync_ms_max: scenario.sync_ms_max,
    };
    Platform {
        clock: Arc::new(SimClock {
            skew_ms: scenario.skew_ms[node],
        }),
        entropy: Arc::new(SimEntropy(stream("entropy"))),
        disk: Arc::new(SlowDisk {
            disk,
            pace: Arc::new(pace),
        }),
        spawner: Arc::new(TaskSpawner),
    }
}
