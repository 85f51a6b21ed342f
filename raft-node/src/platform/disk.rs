//! A data directory, as a port: files named by relative paths such as `wal/0000000000000001.seg`.
//!
//! The contract is that of POSIX, not of a friendly file system: what was written and not synced
//! may be lost, torn or reordered by a crash; a created, renamed or removed name is durable only
//! after [`Disk::sync_dir`]; after a failed sync nothing about the unsynced bytes may be assumed
//! (Rebello et al., "Can Applications Recover from fsync Failures?", ATC'20).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

/// How full a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process could still write.
    pub free: u64,
    /// Bytes of the whole disk.
    pub total: u64,
}

/// A directory of files. Parents of a path are created as needed.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing; creates it empty when `create` and missing.
    fn open<'a>(&'a self, path: &'a str, create: bool) -> BoxFuture<'a, io::Result<Arc<dyn File>>>;

    /// Names of the files directly inside `dir`, sorted; empty when `dir` does not exist.
    fn list<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<Vec<String>>>;

    /// Renames a file, replacing the target. Durable after `sync_dir` of both directories.
    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> BoxFuture<'a, io::Result<()>>;

    /// Removes a file; a missing one is an error of kind `NotFound`.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, io::Result<()>>;

    /// Makes creations, renames and removals inside `dir` durable.
    fn sync_dir<'a>(&'a self, dir: &'a str) -> BoxFuture<'a, io::Result<()>>;

    /// How full the disk is; `None` where nobody can tell.
    fn space<'a>(&'a self) -> BoxFuture<'a, io::Result<Option<Space>>>;

    /// Takes the directory for this process alone, until dropped. A second process on the same
    /// directory gets an error that says who holds it.
    fn lock<'a>(&'a self) -> BoxFuture<'a, io::Result<Box<dyn Send + Sync>>>;
}

/// An open file. Methods take `&self`: callers order their own writes.
#[allow(clippy::len_without_is_empty)] // A file's length is asked for to read all of it.
pub trait File: Send + Sync {
    /// Length in bytes.
    fn len<'a>(&'a self) -> BoxFuture<'a, io::Result<u64>>;

    /// Reads up to `count` bytes at `offset`; shorter only at the end of the file.
    fn read_at<'a>(&'a self, offset: u64, count: usize) -> BoxFuture<'a, io::Result<Bytes>>;

    /// Writes all of `bytes` at `offset`, extending the file when needed.
    fn write_at<'a>(&'a self, offset: u64, bytes: Bytes) -> BoxFuture<'a, io::Result<()>>;

    /// Cuts or extends (with zeros) the file.
    fn set_len<'a>(&'a self, len: u64) -> BoxFuture<'a, io::Result<()>>;

    /// Makes the contents durable (`fdatasync`).
    fn sync<'a>(&'a self) -> BoxFuture<'a, io::Result<()>>;
}
