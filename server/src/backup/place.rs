//! Where backups are kept: a directory, or an object store that speaks S3.
//!
//! Everything is made and checked in directories. A backup for an object store is made in a
//! temporary one and sent, its manifest last; one that comes from there is brought, with those it goes
//! on from, and judged like any other. So a store needs no more than put, get and list, and what it
//! loses or mixes up is found.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::BackupError;
#[cfg(feature = "s3")]
use super::bucket::Bucket;

/// A backup's place, or a directory of some.
#[derive(Clone, Debug)]
pub enum Place {
    /// On this machine.
    Dir(PathBuf),
    /// `s3://BUCKET/PREFIX`.
    #[cfg(feature = "s3")]
    Bucket(Bucket),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None => Ok(Self::Dir(PathBuf::from(text))),
            #[cfg(feature = "s3")]
            Some(("s3", _)) => Bucket::open(text).map(Self::Bucket),
            #[cfg(not(feature = "s3"))]
            Some(("s3", _)) => Err(format!(
                "{text}: this usher was built without S3. Build it with `--features s3`, or name a directory"
            )),
            Some((scheme, _)) => Err(format!(
                "{text}: {scheme}:// is not known; name a directory"
            )),
        }
    }
}

/// A place's backup, on this machine: where it is, and what keeps it there.
pub struct Brought {
    /// The directory.
    pub dir: PathBuf,
    _kept: Option<tempfile::TempDir>,
}

impl Place {
    /// The backup there, with those it goes on from.
    pub async fn bring(&self) -> Result<Brought, BackupError> {
        match self {
            Self::Dir(dir) => Ok(Brought {
                dir: dir.clone(),
                _kept: None,
            }),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => {
                let kept = temporary()?;
                let dir = bucket.bring(kept.path()).await?;
                Ok(Brought {
                    dir,
                    _kept: Some(kept),
                })
            }
        }
    }

    /// A directory in which a backup for this place is to be made: beside `since`, which was brought.
    #[cfg_attr(
        not(feature = "s3"),
        allow(unused_variables, reason = "a directory's backup is made in it")
    )]
    pub fn stage(&self, since: Option<&Brought>) -> Result<Brought, BackupError> {
        match self {
            Self::Dir(dir) => Ok(Brought {
                dir: dir.clone(),
                _kept: None,
            }),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => {
                if let Some(parent) = since.and_then(|since| since.dir.parent()) {
                    return Ok(Brought {
                        dir: parent.join(bucket.name()),
                        _kept: None,
                    });
                }
                let kept = temporary()?;
                Ok(Brought {
                    dir: kept.path().join(bucket.name()),
                    _kept: Some(kept),
                })
            }
        }
    }

    /// Refuses a place that has something already.
    pub async fn vacant(&self) -> Result<(), BackupError> {
        match self {
            // Whoever makes the backup there looks.
            Self::Dir(_) => Ok(()),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.vacant().await,
        }
    }

    /// Sends the finished backup that was made in `dir`.
    pub async fn send(&self, dir: &Path) -> Result<(), BackupError> {
        match self {
            Self::Dir(made) => {
                debug_assert_eq!(made, dir, "a directory's backup is made in it");
                Ok(())
            }
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.send(dir).await,
        }
    }

    /// Whether an incremental backup here can go on from one there.
    pub fn is_beside(&self, other: &Self) -> bool {
        match (self, other) {
            // By their real paths, once both are there.
            (Self::Dir(_), Self::Dir(_)) => true,
            #[cfg(feature = "s3")]
            (Self::Bucket(own), Self::Bucket(other)) => own.is_beside(other),
            #[cfg(feature = "s3")]
            _ => false,
        }
    }
}

#[cfg(feature = "s3")]
fn temporary() -> Result<tempfile::TempDir, BackupError> {
    let made = tempfile::Builder::new().prefix("usher-backup-").tempdir();
    made.map_err(BackupError::file(&std::env::temp_dir()))
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dir(dir) => dir.display().fmt(f),
            #[cfg(feature = "s3")]
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}
