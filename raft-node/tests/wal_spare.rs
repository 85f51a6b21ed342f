//! Goal: whoever writes does not wait for the making of the next segment, but for a small piece of it.
//!
//! Before, the writer zeroed a whole segment (16 MiB) and synced it between two batches: tens of
//! milliseconds for everybody on a quick disk, every 16 MiB of a rush, and far more on a slow one.
//!
//! Method: a disk that lets others go on while a piece of a spare is written. They append at once, so
//! by the next piece somebody waits; what reaches the disk, and in which order, is written down.

mod storage_support;

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use raft_node::platform::Platform;
use raft_node::platform::disk::{Disk, File, Space};
use raft_node::platform::sim_disk::SimDisk;
use raft_node::storage::{Storage, StorageOptions};

use storage_support::*;

const SEGMENT: usize = 1 << 20;

/// What was written, in order: so many bytes, into a spare or into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Spare(usize),
    Log,
}

#[derive(Clone)]
struct Watched {
    below: Arc<dyn Disk>,
    written: Arc<Mutex<Vec<Written>>>,
}

struct WatchedFile {
    below: Arc<dyn File>,
    written: Arc<Mutex<Vec<Written>>>,
}

impl Disk for Watched {
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>> {
        Box::pin(async move {
            let file: Arc<dyn File> = Arc::new(WatchedFile {
                below: self.below.open(path, create).await?,
                written: self.written.clone(),
            });
            Ok(file)
        })
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<Vec<String>>> {
        self.below.list(dir)
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, io::Result<()>> {
        self.below.rename(from, to)
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, io::Result<()>> {
        self.below.remove(path)
    }

    fn sync_dir<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<()>> {
        self.below.sync_dir(dir)
    }

    fn space<'a>(&'a self) -> BoxFuture<'a, io::Result<Option<Space>>> {
        self.below.space()
    }

    fn lock<'a>(&'a self) -> BoxFuture<'a, io::Result<Box<dyn Send + Sync>>> {
        self.below.lock()
    }
}

impl File for WatchedFile {
    fn len<'a>(&'a self) -> BoxFuture<'a, io::Result<u64>> {
        self.below.len()
    }

    fn read_at<'a>(&'a self, offset: u64, count: usize) -> BoxFuture<'a, io::Result<Bytes>> {
        self.below.read_at(offset, count)
    }

    fn write_at<'a>(&'a self, offset: u64, bytes: Bytes) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            // Nothing else is zeros alone.
            let spare = bytes.iter().all(|byte| *byte == 0);
            let what = match spare {
                true => Written::Spare(bytes.len()),
                false => Written::Log,
            };
            self.written.lock().unwrap().push(what);
            if spare {
                tokio::task::yield_now().await;
            }
            self.below.write_at(offset, bytes).await
        })
    }

    fn set_len<'a>(&'a self, len: u64) -> BoxFuture<'a, io::Result<()>> {
        self.below.set_len(len)
    }

    fn sync<'a>(&'a self) -> BoxFuture<'a, io::Result<()>> {
        self.below.sync()
    }
}

#[tokio::test]
async fn who_writes_waits_for_a_small_piece_of_the_next_segment_at_most() {
    let disk = SimDisk::new(1);
    let written = Arc::new(Mutex::new(Vec::new()));
    let platform = Platform {
        disk: Arc::new(Watched {
            below: disk.mount(),
            written: written.clone(),
        }),
        ..sim_platform(&disk)
    };
    let options = StorageOptions {
        segment_bytes: SEGMENT,
        ..StorageOptions::default()
    };
    let storage = Storage::open(platform, CLUSTER, NODE, options.clone())
        .await
        .unwrap();
    let (mut log, _) = storage.group(1);
    written.lock().unwrap().clear();
    for index in 1..=1_600 {
        let command = Bytes::from(vec![index as u8; 2_048]);
        append_durably(&mut log, vec![entry(1, index, command)])
            .await
            .unwrap();
    }
    let all = contents(&mut log).await;
    storage.close().await;

    let written = std::mem::take(&mut *written.lock().unwrap());
    let made: usize = written.iter().map(spare_bytes).sum();
    assert!(made >= 2 * SEGMENT, "it went through segments: {made}");
    let waits = written.split(|what| *what == Written::Log);
    let longest = waits.map(|between| between.iter().map(spare_bytes).sum::<usize>());
    let longest = longest.max().unwrap();
    assert!(
        longest <= 2 * SEGMENT / 64,
        "{longest} bytes between two batches"
    );

    let storage = Storage::open(sim_platform(&disk), CLUSTER, NODE, options)
        .await
        .unwrap();
    let (mut log, _) = storage.group(1);
    assert_eq!(
        contents(&mut log).await,
        all,
        "and nothing was written over"
    );
}

fn spare_bytes(what: &Written) -> usize {
    match what {
        Written::Spare(bytes) => *bytes,
        Written::Log => 0,
    }
}
