//! Goal: the disk of the real tier forgets exactly what no sync has covered.
//!
//! Method: the same few operations through it, then "the process dies": another one over the same
//! disk below, which itself forgets nothing.

use std::sync::Arc;

use bytes::Bytes;
use raft_node::platform::Disk;
use raft_node::platform::disk::File;
use raft_node::platform::forgetful_disk::{ForgetfulDisk, Forgetting};
use raft_node::platform::sim_disk::SimDisk;

/// A process begins on what the last one left.
async fn begin(below: &SimDisk) -> ForgetfulDisk {
    let disk = ForgetfulDisk::new(below.mount(), Forgetting::Unsynced(None));
    drop(disk.lock().await.unwrap());
    disk
}

async fn all_of(file: &Arc<dyn File>) -> Bytes {
    let length = file.len().await.unwrap();
    file.read_at(0, length as usize).await.unwrap()
}

async fn write(file: &Arc<dyn File>, offset: u64, bytes: &'static [u8]) {
    let bytes = Bytes::from_static(bytes);
    file.write_at(offset, bytes).await.unwrap();
}

#[tokio::test]
async fn readers_see_what_was_written_and_the_next_process_sees_what_was_synced() {
    let below = SimDisk::new(1);
    let disk = begin(&below).await;
    let file = disk.open("log/a", true).await.unwrap();
    write(&file, 0, b"0123456789").await;
    file.sync().await.unwrap();
    disk.sync_dir("log").await.unwrap();
    write(&file, 8, b"xyz").await;
    file.set_len(4).await.unwrap();
    file.set_len(6).await.unwrap();
    write(&file, 7, b"end").await;
    let again = disk.open("log/a", false).await.unwrap();
    assert_eq!(all_of(&again).await, &b"0123\0\0\0end"[..]);
    assert_eq!(file.read_at(2, 3).await.unwrap(), &b"23\0"[..]);
    assert_eq!(file.read_at(8, 99).await.unwrap(), &b"nd"[..]);
    assert_eq!(file.read_at(99, 1).await.unwrap(), Bytes::new());

    let disk = begin(&below).await;
    let file = disk.open("log/a", false).await.unwrap();
    assert_eq!(all_of(&file).await, &b"0123456789"[..]);
}

#[tokio::test]
async fn names_are_forgotten_until_their_directory_is_synced() {
    let below = SimDisk::new(1);
    let disk = begin(&below).await;
    let file = disk.open("kept/a", true).await.unwrap();
    write(&file, 0, b"a").await;
    file.sync().await.unwrap();
    disk.sync_dir("kept").await.unwrap();
    let lost = disk.open("kept/lost", true).await.unwrap();
    write(&lost, 0, b"lost").await;
    lost.sync().await.unwrap();
    disk.rename("kept/a", "kept/b").await.unwrap();
    assert_eq!(disk.list("kept").await.unwrap(), ["b", "lost"]);
    assert!(disk.open("kept/a", false).await.is_err());

    let disk = begin(&below).await;
    assert_eq!(disk.list("kept").await.unwrap(), ["a"]);
    disk.rename("kept/a", "kept/b").await.unwrap();
    disk.sync_dir("kept").await.unwrap();
    disk.remove("kept/b").await.unwrap();
    assert!(disk.remove("kept/b").await.is_err());
    assert!(disk.list("kept").await.unwrap().is_empty());

    let disk = begin(&below).await;
    assert_eq!(disk.list("kept").await.unwrap(), ["b"]);
    disk.remove("kept/b").await.unwrap();
    // The same name, another file.
    let file = disk.open("kept/b", true).await.unwrap();
    assert!(all_of(&file).await.is_empty());
    disk.sync_dir("kept").await.unwrap();

    let disk = begin(&below).await;
    let file = disk.open("kept/b", false).await.unwrap();
    assert!(
        all_of(&file).await.is_empty(),
        "nor does the old one shine through"
    );
    let left = below.paths();
    assert_eq!(left, ["kept/b"], "nothing hidden is left behind");
}

#[tokio::test]
async fn a_rename_into_a_synced_directory_brings_the_file_it_depends_on() {
    let below = SimDisk::new(1);
    let disk = begin(&below).await;
    let file = disk.open("here/a", true).await.unwrap();
    write(&file, 0, b"a").await;
    file.sync().await.unwrap();
    disk.open("here/z", true).await.unwrap();
    disk.open("there/x", true).await.unwrap();
    disk.rename("here/a", "there/a").await.unwrap();
    disk.sync_dir("there").await.unwrap();

    let disk = begin(&below).await;
    let file = disk.open("there/a", false).await.unwrap();
    assert_eq!(all_of(&file).await, &b"a"[..]);
    assert!(disk.open("here/a", false).await.is_err());
}

#[tokio::test]
async fn with_a_seed_some_of_it_reaches_the_disk_early_and_readers_see_no_difference() {
    let mut early = 0;
    for seed in 0..50 {
        let below = SimDisk::new(seed);
        let disk = ForgetfulDisk::new(below.mount(), Forgetting::Unsynced(Some(seed)));
        let file = disk.open("a", true).await.unwrap();
        disk.sync_dir("").await.unwrap();
        write(&file, 0, &[7; 4096]).await;
        file.set_len(600).await.unwrap();
        write(&file, 1_000, &[9; 2000]).await;
        let seen = all_of(&file).await;
        let mut expected = [0; 3000];
        expected[..600].fill(7);
        expected[1_000..].fill(9);
        assert_eq!(seen, &expected[..]);
        let on_disk = below.read("a").unwrap();
        early += u32::from(on_disk.iter().any(|byte| *byte != 0));
        file.sync().await.unwrap();
        assert_eq!(below.read("a").unwrap(), seen);
    }
    assert!((10..50).contains(&early), "{early}");
}

#[tokio::test]
async fn a_disk_that_lies_forgets_what_it_called_synced_from_some_sync_on() {
    for seed in 0..5 {
        let below = SimDisk::new(1);
        let disk = ForgetfulDisk::new(below.mount(), Forgetting::Synced(seed));
        let file = disk.open("a", true).await.unwrap();
        disk.sync_dir("").await.unwrap();
        for number in 0..500 {
            let bytes = Bytes::from_static(&[1]);
            file.write_at(number, bytes).await.unwrap();
            file.sync().await.unwrap();
        }
        assert_eq!(file.len().await.unwrap(), 500);
        let kept = below.read("a").map_or(0, |bytes| bytes.len());
        assert!(kept < 300, "{kept}");
    }
}

#[test]
fn what_a_disk_for_proofs_can_be_told() {
    let told = |words: &str| words.parse::<Forgetting>().ok();
    assert_eq!(told("forgets"), Some(Forgetting::Unsynced(None)));
    assert_eq!(told("forgets:7"), Some(Forgetting::Unsynced(Some(7))));
    assert_eq!(told("lies:7"), Some(Forgetting::Synced(7)));
    for words in ["", "lies", "forgets:", "forgets:x", "remembers"] {
        assert_eq!(told(words), None, "{words}");
    }
}
