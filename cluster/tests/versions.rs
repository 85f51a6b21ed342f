//! Goal: while two releases serve one cluster, both have the same state; what only the newer one
//! understands waits until every node was said to understand it, and then nobody goes back.
//!
//! Method: the catalogue and its bytes. An older release is one that does not have the words: what it
//! wrote is written out here by hand.

use bytes::Bytes;
use cluster::catalogue::CatalogueCommand::{AddNode, FixShards, RaiseVersion};
use cluster::catalogue::{Catalogue, CatalogueCommand, CatalogueReceipt, CatalogueRejection};
use cluster::codec::{
    decode_command, decode_outcome, encode_command, encode_outcome, restore, save,
};
use cluster::members::NodeRecord;
use cluster::version::{NEWEST, OLDEST};

fn cluster() -> Catalogue {
    let mut catalogue = Catalogue::default();
    catalogue.apply(&FixShards { shards: 2 }).expect("shards");
    catalogue
}

fn joins(node: u64, supports: u16) -> CatalogueCommand {
    AddNode {
        node,
        record: NodeRecord {
            peer: format!("n{node}:1"),
            ..NodeRecord::default()
        },
        shards: 2,
        supports,
    }
}

fn hex(bytes: &Bytes) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_version_is_raised_once_and_never_lowered() {
    let mut catalogue = cluster();
    assert_eq!(catalogue.version(), OLDEST);
    let at = |version| Ok(CatalogueReceipt::VersionAt { version });
    assert_eq!(catalogue.apply(&RaiseVersion { to: 2 }), at(2));
    assert_eq!(catalogue.apply(&RaiseVersion { to: 2 }), at(2));
    assert_eq!(catalogue.apply(&RaiseVersion { to: 1 }), at(2));
    assert_eq!(catalogue.version(), 2);
}

#[test]
fn a_node_of_an_older_release_joins_before_the_version_is_raised_and_not_after_it() {
    let mut catalogue = cluster();
    assert!(catalogue.apply(&joins(4, 1)).is_ok());
    catalogue.apply(&RaiseVersion { to: 2 }).expect("raised");
    let refused = Err(CatalogueRejection::NodeTooOld { version: 2 });
    assert_eq!(catalogue.apply(&joins(5, 1)), refused);
    assert!(catalogue.apply(&joins(5, 2)).is_ok());
}

#[test]
fn a_cluster_of_the_oldest_version_writes_what_the_oldest_release_wrote() {
    // Both as release 0.1 wrote them.
    assert_eq!(
        hex(&encode_command(&joins(4, OLDEST))),
        "2a0c0a08080412046e343a311002"
    );
    let parts: Vec<String> = save(&cluster()).iter().map(hex).collect();
    assert_eq!(parts, ["0802"]);
    // And what it wrote says of a node that it supports the oldest version.
    assert_eq!(
        decode_command(&encode_command(&joins(4, OLDEST))),
        Ok(joins(4, OLDEST))
    );
}

#[test]
fn versions_come_back_from_bytes() {
    for command in [joins(4, NEWEST), RaiseVersion { to: 7 }] {
        assert_eq!(decode_command(&encode_command(&command)), Ok(command));
    }
    assert_eq!(hex(&encode_command(&RaiseVersion { to: 2 })), "6002");
    let outcomes = [
        Ok(CatalogueReceipt::VersionAt { version: 2 }),
        Err(CatalogueRejection::VersionTooLow { needs: 2 }),
        Err(CatalogueRejection::NodeTooOld { version: 2 }),
    ];
    for outcome in outcomes {
        assert_eq!(decode_outcome(&encode_outcome(&outcome)), Ok(outcome));
    }
    let mut raised = cluster();
    raised.apply(&RaiseVersion { to: 2 }).expect("raised");
    let parts = save(&raised);
    assert_eq!(parts.len(), 2);
    let read = restore(&parts).expect("its own parts");
    assert_eq!(read, raised);
    assert_eq!(read.version(), 2);
}
