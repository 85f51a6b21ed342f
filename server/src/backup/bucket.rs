//! Backups in an object store that speaks S3, through the `object_store` crate (feature `s3`).
//!
//! Credentials, region and endpoint come from the environment, as every S3 tool reads them
//! (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`).

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};

use super::BackupError;
use super::manifest::{self, Manifest};

/// Bytes sent at once.
const PIECE_BYTES: usize = 8 << 20;

/// A prefix of a bucket: one backup, or where some are.
#[derive(Clone)]
pub struct Bucket {
    url: String,
    store: Arc<dyn ObjectStore>,
    prefix: Key,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A store may print its credentials.
        write!(f, "Bucket({})", self.url)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl Bucket {
    /// `s3://BUCKET/PREFIX`.
    pub fn open(url: &str) -> Result<Self, String> {
        let prefix = url
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'));
        let prefix = prefix.map(|(_, prefix)| prefix.trim_matches('/'));
        let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) else {
            return Err(format!(
                "{url}: name a backup in the bucket: s3://BUCKET/NAME"
            ));
        };
        // Whoever was first keeps it; any provider will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = AmazonS3Builder::from_env().with_url(url).build();
        let store = store.map_err(|error| format!("{url}: {error}"))?;
        Ok(Self {
            url: url.to_owned(),
            store: Arc::new(store),
            prefix: Key::from(prefix),
        })
    }

    /// The last part of its name.
    pub(super) fn name(&self) -> String {
        let name = self.prefix.filename();
        name.expect("a prefix is never empty").to_owned()
    }

    fn parent(&self) -> Vec<String> {
        let mut parts: Vec<String> = self
            .prefix
            .parts()
            .map(|part| part.as_ref().to_owned())
            .collect();
        parts.pop();
        parts
    }

    fn sibling(&self, name: &str) -> Self {
        let parts = self.parent().into_iter().chain([name.to_owned()]);
        Self {
            url: self.url.clone(),
            store: self.store.clone(),
            prefix: parts.collect(),
        }
    }

    /// Whether the other one is in the same place.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        let bucket = |url: &str| -> Option<String> {
            Some(url.strip_prefix("s3://")?.split('/').next()?.to_owned())
        };
        bucket(&self.url) == bucket(&other.url) && self.parent() == other.parent()
    }

    pub(super) async fn vacant(&self) -> Result<(), BackupError> {
        if self.list().await?.is_empty() {
            return Ok(());
        }
        Err(BackupError::NotEmpty {
            path: PathBuf::from(&self.url),
            reason: "there is something already. Name another backup".to_owned(),
        })
    }

    pub(super) async fn send(&self, dir: &Path) -> Result<(), BackupError> {
        let (manifest, _) = Manifest::read(dir)?;
        let parts = manifest.parts().map(|part| part.file.clone());
        // The hash of the manifest last: without it there is no backup.
        let last = [manifest::FILE.to_owned(), manifest::HASH_FILE.to_owned()];
        for name in parts.chain(last) {
            let path = dir.join(&name);
            let mut file = File::open(&path).map_err(BackupError::file(&path))?;
            let upload = self
                .store
                .put_multipart(&self.prefix.clone().join(name))
                .await;
            let mut upload = WriteMultipart::new(upload.map_err(|error| self.failed(error))?);
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let count = file.read(&mut piece).map_err(BackupError::file(&path))?;
                if count == 0 {
                    break;
                }
                upload.write(&piece[..count]);
                let room = upload.wait_for_capacity(4).await;
                room.map_err(|error| self.failed(error))?;
            }
            upload.finish().await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Brings the backup, and those it goes on from, into `dir`; the directory of the backup.
    pub(super) async fn bring(&self, dir: &Path) -> Result<PathBuf, BackupError> {
        let mut next = Some(self.clone());
        while let Some(bucket) = next.take() {
            let into = dir.join(bucket.name());
            if into.exists() {
                let reason = "it goes on from itself".to_owned();
                return Err(BackupError::Chain { path: into, reason });
            }
            bucket.bring_one(&into).await?;
            let (manifest, _) = Manifest::read(&into)?;
            next = manifest
                .previous
                .map(|previous| bucket.sibling(&previous.name));
        }
        Ok(dir.join(self.name()))
    }

    async fn bring_one(&self, into: &Path) -> Result<(), BackupError> {
        fs::create_dir_all(into).map_err(BackupError::file(into))?;
        for key in self.list().await? {
            let Some(name) = key.filename() else { continue };
            let path = into.join(name);
            let got = self.store.get(&key).await;
            let mut pieces = got.map_err(|error| self.failed(error))?.into_stream();
            let mut file = File::create_new(&path).map_err(BackupError::file(&path))?;
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| self.failed(error))?;
                file.write_all(&piece).map_err(BackupError::file(&path))?;
            }
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Key>, BackupError> {
        let listed = self.store.list_with_delimiter(Some(&self.prefix)).await;
        let listed = listed.map_err(|error| self.failed(error))?;
        let objects = listed.objects.into_iter();
        Ok(objects.map(|object| object.location).collect())
    }

    fn failed(&self, error: object_store::Error) -> BackupError {
        BackupError::Cluster(format!("{}: {error}", self.url))
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::backup::chain::Chain;

    fn bucket(store: &Arc<dyn ObjectStore>, name: &str) -> Bucket {
        Bucket {
            url: format!("s3://bucket/{name}"),
            store: store.clone(),
            prefix: Key::from(name),
        }
    }

    #[tokio::test]
    async fn what_was_sent_comes_back_and_what_was_not_sent_whole_is_no_backup() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/backup-v1");
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let full = bucket(&store, "some/where/full");
        let later = bucket(&store, "some/where/later");
        assert!(later.is_beside(&full) && !later.is_beside(&bucket(&store, "else/full")));
        full.send(&golden.join("full")).await.unwrap();
        later.send(&golden.join("later")).await.unwrap();
        assert!(full.vacant().await.is_err());

        let place = tempfile::tempdir().unwrap();
        let brought = later.bring(place.path()).await.unwrap();
        let chain = Chain::open(&brought).unwrap();
        assert_eq!(chain.links().len(), 2, "with the one it goes on from");
        chain.load().unwrap();

        // The connection broke before the end: the last object never came.
        let hash = later.prefix.clone().join(manifest::HASH_FILE);
        store.delete(&hash).await.unwrap();
        let place = tempfile::tempdir().unwrap();
        let refused = later.bring(place.path()).await.unwrap_err();
        assert!(matches!(refused, BackupError::NoManifest(_)), "{refused}");
    }
}
