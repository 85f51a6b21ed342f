//! Snapshots: the whole state of a group up to an entry, in a file of its own, so that the log
//! before that entry can go.
//!
//! ```text
//!  snapshots/<group>-<entries covered>.snap:
//!  ├ magic, version ┼ frame HEADER: cluster, group, meta ┼ frame PART … ┼ frame END: number of parts ┤
//! ```
//! A frame is tag, length, checksum (seeded with the frame's number), bytes. A file has its final
//! name only when it is whole and durable; one that cannot be read to its END is refused, never
//! skipped: the log may begin behind it.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::channel::oneshot;
use prost::Message;

use super::codec;
use super::error::StorageError;
use super::file::{beside, read_whole, write_atomically};
use super::identity::Identity;
use super::room::{Room, is_lack_of_room};
use super::wal::locked;
use crate::backup::Base;
use crate::platform::{Disk, Platform, Spawner};
use crate::types::{Snapshot, SnapshotMeta};

/// The directory of all groups' snapshots.
pub(crate) const DIRECTORY: &str = "snapshots";

// Persisted: never reuse a number.
const MAGIC: &[u8; 8] = b"USHERSNP";
const VERSION: u32 = 1;
const HEADER: u8 = 1;
const PART: u8 = 2;
const END: u8 = 3;
/// Tag, length and checksum in front of a frame's bytes.
const FRAME_BYTES: usize = 1 + 8 + 4;

#[derive(Clone, PartialEq, Message)]
struct HeaderRecord {
    // Persisted: never reuse a tag.
    #[prost(bytes = "bytes", tag = "1")]
    cluster: Bytes,
    #[prost(uint32, tag = "2")]
    group: u32,
    #[prost(bytes = "bytes", tag = "3")]
    meta: Bytes,
}

/// The snapshots of one group. Clones are views of the same.
#[derive(Clone)]
pub struct SnapshotStore {
    disk: Arc<dyn Disk>,
    spawner: Arc<dyn Spawner>,
    identity: Identity,
    room: Arc<Room>,
    group: u32,
    newest: Arc<Mutex<Option<SnapshotMeta>>>,
    /// One save at a time: building and installing must not remove each other's file.
    saving: Arc<futures::lock::Mutex<()>>,
}

impl SnapshotStore {
    pub(super) fn new(
        platform: &Platform,
        identity: Identity,
        room: &Arc<Room>,
        group: u32,
        newest: Option<SnapshotMeta>,
    ) -> Self {
        Self {
            disk: platform.disk.clone(),
            spawner: platform.spawner.clone(),
            identity,
            room: room.clone(),
            group,
            newest: Arc::new(Mutex::new(newest)),
            saving: Arc::default(),
        }
    }

    /// What the newest durable snapshot covers.
    pub fn newest(&self) -> Option<SnapshotMeta> {
        locked(&self.newest).clone()
    }

    /// Makes a snapshot durable and removes the older ones. Runs beside the caller's worker. One
    /// that covers less than the newest is not kept. Without room it waits, with nothing half made
    /// on the disk: a group without a new snapshot keeps its log, and nothing worse happens.
    pub async fn save(&self, meta: &SnapshotMeta, parts: Vec<Bytes>) -> io::Result<()> {
        let (done, saved) = oneshot::channel();
        let (store, meta) = (self.clone(), meta.clone());
        let work = async move {
            let save = || store.save_here(&meta, parts.clone());
            let result = store.room.insist(save).await;
            // The caller may have been dropped; the snapshot is good all the same.
            let _dropped = done.send(result);
        };
        self.spawner.spawn_io("snapshot", Box::pin(work));
        saved
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the snapshot's writer died")))
    }

    async fn save_here(&self, meta: &SnapshotMeta, parts: Vec<Bytes>) -> io::Result<()> {
        let _one_at_a_time = self.saving.lock().await;
        let covered = covered(meta);
        if self
            .newest()
            .is_some_and(|newest| self::covered(&newest) > covered)
        {
            return Ok(());
        }
        let path = path(self.group, covered);
        let pieces = encode(self.identity, self.group, meta, parts);
        if let Err(error) = write_atomically(&*self.disk, DIRECTORY, &path, pieces).await {
            let error = error.into_io();
            if is_lack_of_room(&error) {
                // If it cannot be removed, the next try begins with emptying it.
                let _ = self.disk.remove(&beside(&path)).await;
            }
            return Err(error);
        }
        *locked(&self.newest) = Some(meta.clone());
        for name in self.disk.list(DIRECTORY).await? {
            if parse_name(&name)
                .is_some_and(|(group, older)| group == self.group && older < covered)
            {
                self.disk.remove(&format!("{DIRECTORY}/{name}")).await?;
            }
        }
        Ok(())
    }

    /// Opens the newest snapshot's file, for a backup. It stays readable when a newer one comes.
    pub(crate) async fn open_newest(&self) -> Result<Option<Base>, StorageError> {
        let _no_save_meanwhile = self.saving.lock().await;
        let Some(newest) = self.newest() else {
            return Ok(None);
        };
        let next = covered(&newest);
        let path = path(self.group, next);
        let file = self.disk.open(&path, false).await;
        let file = file.map_err(StorageError::io("open", &path))?;
        let bytes = file.len().await;
        let bytes = bytes.map_err(StorageError::io("measure", &path))?;
        Ok(Some(Base::new(next, bytes, file)))
    }

    /// Reads the newest snapshot, checking all of it.
    pub async fn load(&self) -> Result<Option<Snapshot>, StorageError> {
        let _no_save_meanwhile = self.saving.lock().await;
        let Some(newest) = self.newest() else {
            return Ok(None);
        };
        let path = path(self.group, covered(&newest));
        let Some(bytes) = read_whole(&*self.disk, &path).await? else {
            return Err(StorageError::Io {
                action: "open",
                path,
                source: io::ErrorKind::NotFound.into(),
            });
        };
        decode(&path, self.identity, self.group, bytes).map(Some)
    }
}

/// The snapshot that a file of some node of `cluster` holds, checked as a whole.
pub(crate) fn read_snapshot(
    cluster: u128,
    group: u32,
    file: Bytes,
) -> Result<Snapshot, StorageError> {
    // A snapshot is not bound to a node.
    decode("the snapshot", Identity { cluster, node: 0 }, group, file)
}

/// Finds and checks the newest snapshot of each group; removes what a crash left half-made.
pub(super) async fn scan(
    disk: &dyn Disk,
    identity: Identity,
) -> Result<Vec<(u32, SnapshotMeta)>, StorageError> {
    let names = disk
        .list(DIRECTORY)
        .await
        .map_err(StorageError::io("list", DIRECTORY))?;
    if !names.is_empty() {
        // What is found here is relied on, so a power cut must not take its name back.
        disk.sync_dir(DIRECTORY)
            .await
            .map_err(StorageError::io("sync", DIRECTORY))?;
    }
    let mut found: Vec<(u32, u64)> = Vec::new();
    for name in &names {
        match parse_name(name) {
            Some(snapshot) => found.push(snapshot),
            None if name.ends_with(".snap.tmp") => {
                let path = format!("{DIRECTORY}/{name}");
                disk.remove(&path)
                    .await
                    .map_err(StorageError::io("remove", &path))?;
            }
            None => {}
        }
    }
    found.sort_unstable();
    let mut newest = Vec::new();
    for (at, (group, covered)) in found.iter().copied().enumerate() {
        let path = path(group, covered);
        if found.get(at + 1).is_some_and(|(next, _)| *next == group) {
            disk.remove(&path)
                .await
                .map_err(StorageError::io("remove", &path))?;
            continue;
        }
        let bytes = read_whole(disk, &path).await?.unwrap_or_default();
        newest.push((group, decode(&path, identity, group, bytes)?.meta));
    }
    Ok(newest)
}

/// Number of entries a snapshot covers: one past its last index.
fn covered(meta: &SnapshotMeta) -> u64 {
    meta.last_log_id.map_or(0, |last| last.index + 1)
}

fn path(group: u32, covered: u64) -> String {
    format!("{DIRECTORY}/{group:08x}-{covered:016x}.snap")
}

fn parse_name(name: &str) -> Option<(u32, u64)> {
    let (group, covered) = name.strip_suffix(".snap")?.split_once('-')?;
    Some((
        u32::from_str_radix(group, 16).ok()?,
        u64::from_str_radix(covered, 16).ok()?,
    ))
}

fn encode(identity: Identity, group: u32, meta: &SnapshotMeta, parts: Vec<Bytes>) -> Vec<Bytes> {
    let mut prelude = BytesMut::new();
    prelude.put_slice(MAGIC);
    prelude.put_u32_le(VERSION);
    let header = HeaderRecord {
        cluster: Bytes::copy_from_slice(&identity.cluster.to_le_bytes()),
        group,
        meta: codec::encode_snapshot_meta(meta),
    };
    let count = parts.len() as u64;
    let mut pieces = vec![prelude.freeze()];
    let frames = std::iter::once((HEADER, Bytes::from(header.encode_to_vec())))
        .chain(parts.into_iter().map(|part| (PART, part)))
        .chain(std::iter::once((
            END,
            Bytes::copy_from_slice(&count.to_le_bytes()),
        )));
    for (number, (tag, bytes)) in frames.enumerate() {
        let mut frame = BytesMut::with_capacity(FRAME_BYTES);
        frame.put_u8(tag);
        frame.put_u64_le(bytes.len() as u64);
        frame.put_u32_le(checksum(number, tag, &bytes));
        pieces.push(frame.freeze());
        pieces.push(bytes);
    }
    pieces
}

fn decode(
    path: &str,
    identity: Identity,
    group: u32,
    file: Bytes,
) -> Result<Snapshot, StorageError> {
    let mut reader = Reader {
        path,
        group,
        whole: file.len(),
        rest: file,
        number: 0,
    };
    if reader.rest.len() < 12 || &reader.rest[..8] != MAGIC {
        return Err(reader.damaged("it does not begin as a snapshot does"));
    }
    reader.rest.advance(8);
    let version = reader.rest.get_u32_le();
    if version > VERSION {
        return Err(StorageError::UnsupportedVersion {
            path: path.to_owned(),
            found: version,
            supported: VERSION,
        });
    }
    if version != VERSION {
        return Err(reader.damaged("its format version never existed"));
    }
    let (tag, bytes) = reader.frame()?;
    let header = HeaderRecord::decode(bytes).ok().filter(|_| tag == HEADER);
    let Some(header) = header else {
        return Err(reader.damaged("its header cannot be read"));
    };
    let cluster = header.cluster.as_ref().try_into().map(u128::from_le_bytes);
    let Ok(cluster) = cluster else {
        return Err(reader.damaged("its header names no cluster"));
    };
    // Not bound to a node: a snapshot may be restored from a peer's copy.
    identity.expect(
        Identity {
            cluster,
            node: identity.node,
        },
        path,
    )?;
    if header.group != group {
        return Err(reader.damaged("its header names another group than its file name"));
    }
    let meta = codec::decode_snapshot_meta(header.meta)
        .map_err(|error| reader.damaged(&format!("what it covers cannot be read: {error}")))?;
    let mut parts = Vec::new();
    loop {
        let (tag, bytes) = reader.frame()?;
        match tag {
            PART => parts.push(bytes),
            END if bytes.as_ref() == (parts.len() as u64).to_le_bytes()
                && reader.rest.is_empty() =>
            {
                break;
            }
            _ => return Err(reader.damaged("its end is not where it should be")),
        }
    }
    Ok(Snapshot {
        meta,
        snapshot: parts,
    })
}

struct Reader<'a> {
    path: &'a str,
    group: u32,
    whole: usize,
    rest: Bytes,
    number: usize,
}

impl Reader<'_> {
    fn frame(&mut self) -> Result<(u8, Bytes), StorageError> {
        if self.rest.len() < FRAME_BYTES {
            return Err(self.damaged("it is cut off"));
        }
        let mut frame = self.rest.clone();
        let (tag, length, sum) = (frame.get_u8(), frame.get_u64_le(), frame.get_u32_le());
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= frame.len());
        let Some(length) = length else {
            return Err(self.damaged("it is cut off, or a length is damaged"));
        };
        let bytes = frame.split_to(length);
        if checksum(self.number, tag, &bytes) != sum {
            return Err(self.damaged("a checksum does not match"));
        }
        self.rest = frame;
        self.number += 1;
        Ok((tag, bytes))
    }

    fn damaged(&self, reason: &str) -> StorageError {
        StorageError::Damaged {
            path: self.path.to_owned(),
            offset: (self.whole - self.rest.len()) as u64,
            group: Some(self.group),
            reason: reason.to_owned(),
        }
    }
}

fn checksum(number: usize, tag: u8, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(number as u64).to_le_bytes());
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(&[tag]);
    hasher.update(bytes);
    hasher.finalize()
}
