//! The provider's ledger on disk: one JSON line per settled key, with the payment as it then was.
//!
//! Lines are written, not synced: the file has to survive the death of processes, not of the
//! machine. A torn last line was never answered and is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use super::book::{Book, KeyRecord, Payment};

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    record: KeyRecord,
    payment: Option<Payment>,
}

/// An open ledger file.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens or creates a ledger and reads what it holds.
    pub(super) fn open(path: &Path) -> Result<(Self, Book), Error> {
        let failed = |source| Error::Ledger {
            path: path.to_owned(),
            source,
        };
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(failed)?,
        };
        let mut book = Book::default();
        let mut sound = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            match serde_json::from_str::<Line>(line) {
                Ok(line) => book.restore(line.key, line.record, line.payment),
                Err(_) if !line.ends_with('\n') => break,
                Err(_) => {
                    return Err(Error::Damaged {
                        path: path.to_owned(),
                        line: index + 1,
                    });
                }
            }
            sound += line.len();
        }
        let open = OpenOptions::new().create(true).append(true).open(path);
        let file = open.map_err(failed)?;
        // A line that lost only its end of line is whole, but the next must not follow on it.
        file.set_len(sound as u64).map_err(failed)?;
        let mut journal = Self {
            file,
            path: path.to_owned(),
        };
        if !text[..sound].is_empty() && !text[..sound].ends_with('\n') {
            journal.file.write_all(b"\n").map_err(failed)?;
        }
        Ok((journal, book))
    }

    /// Writes a settled key; it is answered only after that.
    pub(super) fn keep(&mut self, book: &Book, key: &str) -> Result<(), Error> {
        let Some(record) = book.key(key) else {
            return Ok(());
        };
        let line = Line {
            key: key.to_owned(),
            record: record.clone(),
            payment: record
                .payment
                .as_ref()
                .and_then(|id| book.payment(id))
                .cloned(),
        };
        let failed = |source| Error::Ledger {
            path: self.path.clone(),
            source,
        };
        let mut line = serde_json::to_vec(&line).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }
}
