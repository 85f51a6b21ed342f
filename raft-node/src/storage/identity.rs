//! Whose data directory this is: a small file beside the log, and the same words in every segment.
//!
//! Starting a node on the directory of another one would let one log speak with two voices.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::StorageError;
use super::file::{read_whole, write_atomically};
use crate::platform::Disk;

/// The file.
pub(crate) const PATH: &str = "identity";

// Persisted.
const MAGIC: &[u8; 8] = b"USHERDIR";
/// Format 2 says which version of the machines' words the directory needs; it is written once that
/// is more than format 1 stands for, so that releases which do not know it refuse it.
const VERSION: u32 = 2;
const BYTES: usize = 8 + 4 + 16 + 8 + 4;

/// What a directory of format 1 needs.
pub(crate) const NEEDS_MIN: u32 = 1;

/// A node of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cluster: u128,
    pub(crate) node: u64,
}

impl Identity {
    /// Refuses a file at `path` that names somebody else.
    pub(crate) fn expect(self, found: Self, path: &str) -> Result<(), StorageError> {
        if self == found {
            return Ok(());
        }
        Err(StorageError::ForeignDirectory {
            path: path.to_owned(),
            found_cluster: found.cluster,
            found_node: found.node,
            expected_cluster: self.cluster,
            expected_node: self.node,
        })
    }

    /// Reads the identity file, if there is one, and which version the directory needs.
    pub(crate) async fn read(disk: &dyn Disk) -> Result<Option<(Self, u32)>, StorageError> {
        match read_whole(disk, PATH).await? {
            Some(bytes) => {
                disk.sync_dir("")
                    .await
                    .map_err(StorageError::io("sync the directory of", PATH))?;
                decode(bytes).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Writes the identity file of a directory that needs this version, durably.
    pub(crate) async fn write(self, disk: &dyn Disk, needs: u32) -> Result<(), StorageError> {
        let mut out = BytesMut::with_capacity(BYTES + 4);
        out.put_slice(MAGIC);
        out.put_u32_le(if needs > NEEDS_MIN { VERSION } else { 1 });
        out.put_u128_le(self.cluster);
        out.put_u64_le(self.node);
        if needs > NEEDS_MIN {
            out.put_u32_le(needs);
        }
        let sum = crc32fast::hash(&out);
        out.put_u32_le(sum);
        write_atomically(disk, "", PATH, vec![out.freeze()]).await
    }
}

fn decode(mut bytes: Bytes) -> Result<(Identity, u32), StorageError> {
    let damaged = |reason: &str| StorageError::Damaged {
        path: PATH.to_owned(),
        offset: 0,
        group: None,
        reason: reason.to_owned(),
    };
    if bytes.len() < 12 || &bytes[..8] != MAGIC {
        return Err(damaged("it does not begin as an identity file does"));
    }
    let whole = bytes.clone();
    bytes.advance(8);
    let version = bytes.get_u32_le();
    if version > VERSION {
        return Err(StorageError::UnsupportedVersion {
            path: PATH.to_owned(),
            found: version,
            supported: VERSION,
        });
    }
    let words = if version >= 2 { 4 } else { 0 };
    if whole.len() != BYTES + words {
        return Err(damaged("its length is wrong"));
    }
    let identity = Identity {
        cluster: bytes.get_u128_le(),
        node: bytes.get_u64_le(),
    };
    let needs = match version {
        0 | 1 => NEEDS_MIN,
        _ => bytes.get_u32_le(),
    };
    if crc32fast::hash(&whole[..whole.len() - 4]) != bytes.get_u32_le() {
        return Err(damaged("its checksum does not match"));
    }
    Ok((identity, needs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_a_newer_release_is_refused_by_name_and_version() {
        let mut out = BytesMut::new();
        out.put_slice(MAGIC);
        out.put_u32_le(VERSION + 1);
        // Whatever a newer release writes here.
        out.put_slice(&[7; 60]);
        let refused = decode(out.freeze()).expect_err("nobody here can read it");
        let words = refused.to_string();
        let begins = format!("identity has format version {}", VERSION + 1);
        assert!(words.starts_with(&begins), "{words}");
        assert!(words.contains("Run the release that wrote it"), "{words}");
    }
}
