//! Goal: a data directory that no crash can explain is refused, and the message says what, where
//! and how to recover. Method: take a good directory, do one thing to it, open it.

mod storage_support;

use openraft::storage::RaftLogStorage;
use raft_node::platform::Platform;
use raft_node::platform::sim_disk::SimDisk;
use raft_node::storage::{Storage, StorageError, StorageOptions};

use storage_support::*;

/// Three segments or more, a snapshot of group 2, everything closed.
async fn good() -> SimDisk {
    let disk = SimDisk::new(1);
    let storage = open(&disk).await.unwrap();
    let (mut log, _) = storage.group(1);
    for index in 0..30 {
        append_durably(&mut log, vec![entry(1, index, vec![9; 300])])
            .await
            .unwrap();
    }
    let (mut log, snapshots) = storage.group(2);
    append_durably(
        &mut log,
        vec![entry(1, 0, "a"), entry(1, 1, "b"), entry(1, 2, "c")],
    )
    .await
    .unwrap();
    snapshot(&snapshots, log_id(1, 1)).await.unwrap();
    log.purge(log_id(1, 1)).await.unwrap();
    storage.close().await;
    assert!(segments(&disk).len() >= 3);
    open(&disk).await.expect("it is good").close().await;
    disk
}

async fn refusal(disk: &SimDisk) -> StorageError {
    match open(disk).await {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

/// Offset of the record that carries entry `index` of [`good`]'s group 1 in the given segment.
fn find(segment: &[u8], index: u64) -> usize {
    let id = [1u64.to_le_bytes(), index.to_le_bytes()].concat();
    let at = segment.windows(16).position(|window| window == id);
    at.expect("the entry is in this segment") - 24
}

#[tokio::test]
async fn damage_in_front_of_good_records_is_refused_by_file_offset_and_group() {
    let disk = good().await;
    let path = segments(&disk)[1].clone();
    let segment = disk.read(&path).unwrap();
    let index = (0..30).find(|index| {
        let id = [1u64.to_le_bytes(), u64::to_le_bytes(*index)].concat();
        segment.windows(16).any(|window| window == id)
    });
    let offset = find(&segment, index.unwrap() + 1);
    disk.flip_bit(&path, offset + 100, 3);
    let error = refusal(&disk).await;
    assert!(
        matches!(&error, StorageError::Damaged { path: at, offset: where_, group: Some(1), .. }
            if *at == path && *where_ == offset as u64),
        "{error:?}"
    );
    let message = error.to_string();
    assert!(
        message.contains(&path) && message.contains("group 1") && message.contains("wipe"),
        "{message}"
    );

    // Refused again: looking at it changed nothing.
    disk.crash(raft_node::platform::sim_disk::CrashMode::KeepAll);
    assert_eq!(refusal(&disk).await.to_string(), message);
}

#[tokio::test]
async fn a_damaged_head_of_a_segment_is_refused() {
    for offset in [0, 20, 70, 90] {
        let disk = good().await;
        let path = segments(&disk).pop().unwrap();
        disk.flip_bit(&path, offset, 0);
        let error = refusal(&disk).await;
        assert!(
            matches!(&error, StorageError::Damaged { path: at, .. } if *at == path),
            "{offset}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_missing_segment_is_refused_wherever_it_was() {
    let disk = good().await;
    let paths = segments(&disk);
    let middle = disk.fork(1);
    middle.take(&paths[1]);
    let error = refusal(&middle).await;
    assert!(
        matches!(&error, StorageError::MissingSegment { path } if *path == paths[1]),
        "{error:?}"
    );

    let first = disk.fork(2);
    first.take(&paths[0]);
    let error = refusal(&first).await;
    assert!(
        matches!(error, StorageError::MissingEntries { group: 1, index: 0 }),
        "{error:?}"
    );

    let all = disk.fork(3);
    paths.iter().for_each(|path| all.take(path));
    let error = refusal(&all).await;
    assert!(
        matches!(error, StorageError::MissingLog { .. }),
        "{error:?}"
    );
    all.take("identity");
    let error = refusal(&all).await;
    assert!(
        matches!(error, StorageError::MissingLog { .. }),
        "the snapshots show it too: {error:?}"
    );
}

#[tokio::test]
async fn the_directory_of_another_node_or_another_cluster_is_refused() {
    let disk = good().await;
    for (cluster, node) in [(CLUSTER, NODE + 1), (CLUSTER + 1, NODE)] {
        for without_identity in [false, true] {
            let disk = disk.fork(1);
            if without_identity {
                disk.take("identity");
            }
            let error = Storage::open(sim_platform(&disk), cluster, node, small())
                .await
                .err()
                .unwrap();
            assert!(
                matches!(
                    error,
                    StorageError::ForeignDirectory {
                        found_cluster: CLUSTER,
                        found_node: NODE,
                        ..
                    }
                ),
                "{error:?}"
            );
        }
    }
    disk.flip_bit("identity", 20, 1);
    assert!(matches!(refusal(&disk).await, StorageError::Damaged { .. }));
}

#[tokio::test]
async fn a_snapshot_that_is_missing_cut_or_flipped_is_refused() {
    let disk = good().await;
    let paths = disk.paths();
    let path = paths
        .iter()
        .find(|path| path.starts_with("snapshots/"))
        .unwrap();

    let missing = disk.fork(1);
    missing.take(path);
    let error = refusal(&missing).await;
    assert!(
        matches!(
            error,
            StorageError::MissingSnapshot {
                group: 2,
                needed: 1,
                found: None
            }
        ),
        "{error:?}"
    );

    let bytes = disk.read(path).unwrap();
    for cut in 0..bytes.len() {
        let cut_off = disk.fork(2);
        cut_off.put(path, &bytes[..cut]);
        let error = refusal(&cut_off).await;
        assert!(
            matches!(&error, StorageError::Damaged { path: at, .. } if at == path),
            "cut at {cut}: {error:?}"
        );
    }
    for at in 0..bytes.len() {
        let flipped = disk.fork(3);
        flipped.flip_bit(path, at, (at % 8) as u8);
        let error = refusal(&flipped).await;
        assert!(
            matches!(
                error,
                StorageError::Damaged { .. } | StorageError::UnsupportedVersion { .. }
            ),
            "flipped at {at}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_newer_snapshot_replaces_the_older_one_and_an_older_one_does_not_come_back() {
    let disk = good().await;
    let storage = open(&disk).await.unwrap();
    let (_, snapshots) = storage.group(2);
    snapshot(&snapshots, log_id(1, 2)).await.unwrap();
    snapshot(&snapshots, log_id(1, 1)).await.unwrap();
    let loaded = snapshots.load().await.unwrap().unwrap();
    assert_eq!(loaded.meta.last_log_id, Some(log_id(1, 2)));
    assert_eq!(loaded.snapshot.len(), 3);
    assert_eq!(
        (loaded.snapshot[0].as_ref(), loaded.snapshot[2].len()),
        (&b"state"[..], 700)
    );
    assert_eq!(
        disk.paths()
            .iter()
            .filter(|path| path.starts_with("snapshots/"))
            .count(),
        1
    );
    assert!(storage.group(9).1.load().await.unwrap().is_none());
}

#[tokio::test]
async fn a_second_process_on_a_real_directory_is_told_who_holds_it() {
    let root = tempfile::tempdir().unwrap();
    let storage = open_os(root.path(), StorageOptions::default())
        .await
        .unwrap();
    let (mut log, _) = storage.group(1);
    append_durably(&mut log, vec![entry(1, 0, "first")])
        .await
        .unwrap();

    let error = open_os(root.path(), StorageOptions::default())
        .await
        .err()
        .unwrap();
    assert!(matches!(error, StorageError::InUse { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );

    storage.close().await;
    let storage = open_os(root.path(), StorageOptions::default())
        .await
        .unwrap();
    let (mut log, _) = storage.group(1);
    assert_eq!(contents(&mut log).await.entries.len(), 1);
    storage.close().await;
    let error = append_durably(&mut log, vec![entry(1, 1, "late")])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
}

#[tokio::test]
async fn a_path_that_leads_out_of_the_data_directory_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let platform = Platform::os(&root.path().join("made/on/demand")).unwrap();
    for path in ["../outside", "/etc/outside", "wal/../../outside"] {
        assert!(platform.disk.open(path, true).await.is_err(), "{path}");
    }
    assert!(platform.disk.list("nothing/here").await.unwrap().is_empty());
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_by_name() {
    for bytes in [0, 1000, 4097] {
        let options = StorageOptions {
            segment_bytes: bytes,
            ..small()
        };
        let error = Storage::open(sim_platform(&SimDisk::new(1)), CLUSTER, NODE, options)
            .await
            .err()
            .unwrap();
        assert!(
            matches!(
                error,
                StorageError::BadOption {
                    option: "segment_bytes",
                    ..
                }
            ),
            "{error:?}"
        );
    }
}
