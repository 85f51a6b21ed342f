//! Goal: a newer release reads what an older one wrote, and replicas of both write the same.
//! Method: files written once and kept for ever, one for every kind of command and receipt and for
//! every kind of part. A file that no longer matches means that the format changed: change it
//! back, or add a new version beside `v1` and keep reading this one.

mod common;

use std::path::PathBuf;

use bytes::Bytes;
use common::golden_parts::{parts, parts_with_marks};
use common::golden_words::{commands, outcomes};
use ledger::{Ledger, ShardId};
use proto::snapshot::{restore, save};

fn path(name: &str) -> PathBuf {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1");
    PathBuf::from(golden).join(name).with_extension("bin")
}

fn read(name: &str) -> Bytes {
    let path = path(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    bytes.into()
}

fn part_name(number: usize) -> String {
    format!("snapshot_{number:02}")
}

fn marks_name(number: usize) -> String {
    format!("snapshot_marks_{number:02}")
}

fn snapshot() -> Ledger {
    Ledger::from_parts(parts()).expect("the parts make a ledger")
}

#[test]
fn golden_commands_mean_what_they_meant_and_are_written_the_same() {
    for (name, command) in commands() {
        let bytes = read(&format!("command_{name}"));
        let decoded = proto::decode_command(&bytes);
        assert_eq!(decoded.as_ref(), Ok(&command), "{name}");
        assert_eq!(proto::encode_command(&command), bytes, "{name}");
    }
}

#[test]
fn golden_outcomes_mean_what_they_meant_and_are_written_the_same() {
    for (name, outcome) in outcomes() {
        let bytes = read(&format!("outcome_{name}"));
        let decoded = proto::decode_outcome(&bytes);
        assert_eq!(decoded.as_ref(), Ok(&outcome), "{name}");
        assert_eq!(proto::encode_outcome(&outcome), bytes, "{name}");
    }
}

#[test]
fn the_golden_snapshot_means_what_it_meant_and_is_written_the_same() {
    let meant = parts();
    let names = (0..meant.len()).map(part_name);
    let golden: Vec<Bytes> = names.map(|name| read(&name)).collect();
    let restored = restore(ShardId(2), &golden).expect("it restores");
    let found: Vec<_> = restored.parts().collect();
    assert_eq!(found.len(), meant.len());
    for (found, meant) in found.iter().zip(&meant) {
        assert_eq!(found, meant);
    }
    assert_eq!(restored.digest(), snapshot().digest());
    for (number, (written, golden)) in save(&restored).iter().zip(&golden).enumerate() {
        assert_eq!(written, golden, "{}", part_name(number));
    }
}

/// An order that holds what was found for it keeps a mark of its wish, since 0.1.
#[test]
fn a_golden_order_with_a_mark_for_its_wish_means_what_it_meant_and_is_written_the_same() {
    let meant = parts_with_marks();
    let golden: Vec<Bytes> = (0..meant.len()).map(|at| read(&marks_name(at))).collect();
    let restored = restore(ShardId(2), &golden).expect("it restores");
    assert_eq!(restored.parts().collect::<Vec<_>>(), meant);
    assert_eq!(save(&restored), golden);
}

#[test]
#[ignore = "writes the golden files: only for kinds that are new, never to make a test pass"]
fn regenerate() {
    let write = |name: &str, bytes: &[u8]| {
        let path = path(name);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("writable");
        std::fs::write(path, bytes).expect("writable");
    };
    for (name, command) in commands() {
        write(&format!("command_{name}"), &proto::encode_command(&command));
    }
    for (name, outcome) in outcomes() {
        write(&format!("outcome_{name}"), &proto::encode_outcome(&outcome));
    }
    for (number, bytes) in save(&snapshot()).iter().enumerate() {
        write(&part_name(number), bytes);
    }
    let marks = Ledger::from_parts(parts_with_marks()).expect("the parts make a ledger");
    for (number, bytes) in save(&marks).iter().enumerate() {
        write(&marks_name(number), bytes);
    }
}
