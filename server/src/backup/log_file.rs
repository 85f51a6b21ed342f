//! A group's log in a backup: eight bytes that say what it is, a version, then entries.
//!
//! Persisted: see [`raft_node::backup::LogEntry`] for the entries.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use raft_node::backup::{EntryError, LogEntry};

use super::BackupError;

const MAGIC: &[u8; 8] = b"USHERLOG";
const VERSION: u32 = 1;
const HEAD_BYTES: u64 = 12;

/// Writes entries.
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    next: u64,
    scratch: BytesMut,
}

impl Writer {
    /// A new file for entries from index `from` on.
    pub(super) fn create(path: &Path, from: u64) -> Result<Self, BackupError> {
        let create = || {
            let file = File::options().write(true).create_new(true).open(path)?;
            let mut file = BufWriter::new(file);
            file.write_all(MAGIC)?;
            file.write_all(&VERSION.to_le_bytes())?;
            Ok(file)
        };
        Ok(Self {
            path: path.to_owned(),
            file: create().map_err(BackupError::file(path))?,
            next: from,
            scratch: BytesMut::new(),
        })
    }

    /// Index of the entry that comes next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Adds the next entry.
    pub(super) fn add(&mut self, entry: &LogEntry) -> Result<(), BackupError> {
        self.scratch.clear();
        entry.put(&mut self.scratch);
        self.next += 1;
        let written = self.file.write_all(&self.scratch);
        written.map_err(BackupError::file(&self.path))
    }

    /// Hands what was added to the file system.
    pub(super) fn finish(self) -> Result<(), BackupError> {
        let flushed = self.file.into_inner().map_err(io::Error::from);
        flushed.map(drop).map_err(BackupError::file(&self.path))
    }
}

/// Cuts off what lies behind index `upto`, and makes the rest durable.
pub(super) fn cut(path: &Path, upto: u64) -> Result<(), BackupError> {
    let (mut log, mut end) = (Reader::open(path)?, HEAD_BYTES);
    while let Some(entry) = log.next()? {
        if entry.at.index > upto {
            break;
        }
        end += entry.encoded_len() as u64;
    }
    let cut = || {
        let file = File::options().write(true).open(path)?;
        file.set_len(end)?;
        file.sync_all()
    };
    cut().map_err(BackupError::file(path))
}

/// Reads entries one by one.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
}

impl Reader {
    /// Opens a log, and checks that it is one.
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let mut file = BufReader::new(File::open(path).map_err(BackupError::file(path))?);
        let mut head = [0; HEAD_BYTES as usize];
        let read = file.read_exact(&mut head);
        let version = u32::from_le_bytes(head[8..].try_into().expect("four bytes"));
        match read {
            Ok(()) if &head[..8] != MAGIC => {
                Err(BackupError::part(path, "it does not begin as a log does"))
            }
            Ok(()) if version != VERSION => {
                let reason = format!("its format is {version}, and this release reads {VERSION}");
                Err(BackupError::part(path, reason))
            }
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                file,
            }),
            Err(_) => Err(BackupError::part(path, "it is cut off")),
        }
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<LogEntry>, BackupError> {
        LogEntry::read(&mut self.file).map_err(|error| match error {
            EntryError::Io(source) => BackupError::File {
                path: self.path.clone(),
                source,
            },
            other => BackupError::part(&self.path, other),
        })
    }
}
