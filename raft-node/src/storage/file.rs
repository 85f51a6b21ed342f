//! Two ways of using a file that the identity and the snapshots share.

use std::io;

use bytes::Bytes;
use probes::Bug;

use super::error::StorageError;
use crate::platform::Disk;

/// The whole file, or nothing when it does not exist.
pub(crate) async fn read_whole(disk: &dyn Disk, path: &str) -> Result<Option<Bytes>, StorageError> {
    let file = match disk.open(path, false).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("open", path)(error)),
    };
    let length = file
        .len()
        .await
        .map_err(StorageError::io("measure", path))?;
    let length = usize::try_from(length)
        .map_err(|_| StorageError::io("read", path)(io::ErrorKind::FileTooLarge.into()))?;
    file.read_at(0, length)
        .await
        .map_err(StorageError::io("read", path))
        .map(Some)
}

/// Where a file is written before it is put in its place.
pub(crate) fn beside(path: &str) -> String {
    format!("{path}.tmp")
}

/// Puts a file in place so that after a crash it is there whole or not at all: written beside,
/// synced, renamed, directory synced.
pub(crate) async fn write_atomically(
    disk: &dyn Disk,
    directory: &str,
    path: &str,
    pieces: Vec<Bytes>,
) -> Result<(), StorageError> {
    let in_place = probes::planted(Bug::SnapshotWrittenInPlace);
    let beside = match in_place {
        true => path.to_owned(),
        false => beside(path),
    };
    let file = disk
        .open(&beside, true)
        .await
        .map_err(StorageError::io("create", &beside))?;
    file.set_len(0)
        .await
        .map_err(StorageError::io("empty", &beside))?;
    let mut offset = 0;
    for piece in pieces {
        let length = piece.len() as u64;
        file.write_at(offset, piece)
            .await
            .map_err(StorageError::io("write", &beside))?;
        offset += length;
    }
    if in_place {
        return Ok(());
    }
    file.sync()
        .await
        .map_err(StorageError::io("sync", &beside))?;
    disk.rename(&beside, path)
        .await
        .map_err(StorageError::io("rename", &beside))?;
    if probes::planted(Bug::RenameNotSynced) {
        return Ok(());
    }
    disk.sync_dir(directory)
        .await
        .map_err(StorageError::io("sync the directory of", path))
}
