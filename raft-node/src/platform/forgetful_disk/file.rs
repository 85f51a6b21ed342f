//! A file, and what of it no sync has covered yet.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::lock::Mutex;

use super::early::Early;
use crate::platform::disk::File;
use crate::platform::sim_disk::SECTOR_BYTES;

/// A file below, whatever its name, and the operations it has not seen.
pub(super) struct Inode {
    below: Arc<dyn File>,
    unsynced: Mutex<Vec<FileOp>>,
}

enum FileOp {
    Write { offset: u64, bytes: Bytes },
    SetLen(u64),
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
    pub(super) fn new(below: Arc<dyn File>) -> Arc<Self> {
        Arc::new(Self {
            below,
            unsynced: Mutex::default(),
        })
    }

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

/// An open file. All of one name share the inode.
pub(super) struct OpenFile {
    pub(super) inode: Arc<Inode>,
    pub(super) early: Arc<Early>,
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
