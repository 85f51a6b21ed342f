//! The node registry as operators meet it: what is refused and why, and that a command said twice is
//! answered twice alike.

use std::collections::BTreeSet;

use bytes::Bytes;
use cluster::catalogue::CatalogueCommand::{
    AddNode, DrainNode, FixShards, NodeGone, Place, RemoveNode, UndrainNode,
};
use cluster::catalogue::CatalogueReceipt::{NodeNoted, PlacedAt};
use cluster::catalogue::{Catalogue, CatalogueCommand, CatalogueReceipt, CatalogueRejection as No};
use cluster::codec::{
    decode_command, decode_outcome, encode_command, encode_outcome, restore, save,
};
use cluster::members::{NodeRecord, NodeState, Wish};
use cluster::version::OLDEST;

fn add(node: u64, peer: &str, zone: &str) -> CatalogueCommand {
    let record = NodeRecord {
        peer: peer.to_owned(),
        zone: zone.to_owned(),
        state: NodeState::Member,
    };
    AddNode {
        node,
        record,
        shards: 2,
        supports: OLDEST,
    }
}

fn place(expected: u64, voters: &[u64]) -> CatalogueCommand {
    let wish = Wish {
        voters: voters.iter().copied().collect(),
        leader: voters.first().copied(),
    };
    Place {
        expected,
        replication: voters.len() as u8,
        groups: (0..=2).map(|group| (group, wish.clone())).collect(),
    }
}

/// Three members, three voters a group.
fn cluster() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let commands = [
        FixShards { shards: 2 },
        add(1, "a:1", ""),
        add(2, "b:1", ""),
        add(3, "c:1", ""),
        place(0, &[1, 2, 3]),
    ];
    for command in commands {
        catalogue.apply(&command).expect("as it should be");
    }
    catalogue
}

#[test]
fn a_restored_cluster_forgets_the_nodes_of_the_one_that_was_backed_up() {
    let mut catalogue = cluster();
    let continues = CatalogueCommand::ContinueLineage { lineage: 7 };
    for _ in 0..2 {
        // Also when what was backed up had been restored itself.
        catalogue
            .apply(&add(9, "old:1", ""))
            .expect("as it should be");
        let outcome = catalogue.apply(&continues);
        assert_eq!(outcome, Ok(CatalogueReceipt::LineageContinued));
        assert_eq!(catalogue.registry().nodes().count(), 0);
        assert_eq!(catalogue.registry().placement().version, 0);
    }
    assert_eq!(catalogue.lineage(), Some(7));
    let other = CatalogueCommand::ContinueLineage { lineage: 8 };
    assert_eq!(catalogue.apply(&other), Err(No::LineageIsFixed));
    assert_eq!(
        restore(&save(&catalogue)).expect("its own parts"),
        catalogue
    );
    for command in [continues, other] {
        let bytes = encode_command(&command);
        assert_eq!(decode_command(&bytes), Ok(command));
    }
    for outcome in [
        Ok(CatalogueReceipt::LineageContinued),
        Err(No::LineageIsFixed),
    ] {
        assert_eq!(decode_outcome(&encode_outcome(&outcome)), Ok(outcome));
    }
}

#[test]
fn a_node_comes_votes_is_drained_leaves_and_its_id_stays_taken() {
    let mut catalogue = cluster();
    let story = [
        (add(4, "d:1", "north"), Ok(NodeNoted { node: 4 })),
        (add(4, "d:1", "north"), Ok(NodeNoted { node: 4 })),
        (add(1, "a:1", "south"), Ok(NodeNoted { node: 1 })),
        (add(1, "a:1", "west"), Err(No::NodeIdTaken)),
        (place(1, &[2, 3, 4]), Ok(PlacedAt { version: 2 })),
        (place(1, &[2, 3, 4]), Ok(PlacedAt { version: 2 })),
        (
            place(1, &[1, 3, 4]),
            Err(No::PlacementConflict { version: 2 }),
        ),
        (NodeGone { node: 1 }, Err(No::NotDrained)),
        (RemoveNode { node: 1 }, Ok(NodeNoted { node: 1 })),
        (RemoveNode { node: 1 }, Ok(NodeNoted { node: 1 })),
        (UndrainNode { node: 1 }, Err(No::NodeIsLeaving)),
        (place(2, &[1, 2, 3]), Err(No::PlacementInvalid)),
        (
            RemoveNode { node: 2 },
            Err(No::TooFewNodes { replication: 3 }),
        ),
        (
            DrainNode { node: 2 },
            Err(No::TooFewNodes { replication: 3 }),
        ),
        (add(5, "a:1", ""), Err(No::AddressTaken { node: 1 })),
        (NodeGone { node: 1 }, Ok(NodeNoted { node: 1 })),
        (NodeGone { node: 1 }, Ok(NodeNoted { node: 1 })),
        (add(1, "a:1", ""), Err(No::NodeWasRemoved)),
        (add(5, "a:1", ""), Ok(NodeNoted { node: 5 })),
        (DrainNode { node: 3 }, Ok(NodeNoted { node: 3 })),
        (UndrainNode { node: 3 }, Ok(NodeNoted { node: 3 })),
    ];
    for (number, (command, outcome)) in story.into_iter().enumerate() {
        let before = catalogue.clone();
        assert_eq!(catalogue.apply(&command), outcome, "{number}: {command:?}");
        assert!(
            outcome.is_ok() || catalogue == before,
            "{number}: a refusal changes nothing"
        );
        let bytes = encode_command(&command);
        assert_eq!(decode_command(&bytes), Ok(command), "{number}");
        assert_eq!(
            decode_outcome(&encode_outcome(&outcome)),
            Ok(outcome),
            "{number}"
        );
        assert_eq!(
            restore(&save(&catalogue)).as_ref(),
            Ok(&catalogue),
            "{number}"
        );
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let mut catalogue = cluster();
    let other_shards = AddNode {
        node: 4,
        record: NodeRecord {
            peer: "d:1".to_owned(),
            ..NodeRecord::default()
        },
        shards: 8,
        supports: OLDEST,
    };
    let long = "z".repeat(65);
    let cases = [
        (add(0, "d:1", ""), No::NodeInvalid),
        (add(4, "d", ""), No::NodeInvalid),
        (add(4, ":1", ""), No::NodeInvalid),
        (add(4, "d:0", ""), No::NodeInvalid),
        (add(4, "d:1", &long), No::NodeInvalid),
        (other_shards, No::ShardsAreFixed { shards: 2 }),
        (add(1, "d:1", ""), No::NodeIdTaken),
        (add(4, "b:1", ""), No::AddressTaken { node: 2 }),
        (DrainNode { node: 9 }, No::NodeUnknown),
        (UndrainNode { node: 9 }, No::NodeUnknown),
        (RemoveNode { node: 9 }, No::NodeUnknown),
        (NodeGone { node: 9 }, No::NodeUnknown),
        (place(1, &[]), No::PlacementInvalid),
        (place(1, &[1, 2, 9]), No::PlacementInvalid),
        (place(0, &[1]), No::PlacementConflict { version: 1 }),
    ];
    for (command, no) in cases {
        assert_eq!(catalogue.apply(&command), Err(no), "{command:?}");
    }
    assert_eq!(catalogue, cluster());
    let missing_group = Place {
        expected: 1,
        replication: 1,
        groups: vec![(0, Wish::default())],
    };
    assert_eq!(catalogue.apply(&missing_group), Err(No::PlacementInvalid));
    assert_eq!(
        Catalogue::default().apply(&add(1, "a:1", "")),
        Err(No::NoShards)
    );
}

/// Bytes are in logs and snapshots: these were written once and are never changed.
#[test]
fn the_bytes_of_nodes_are_what_they_were_and_older_snapshots_are_read() {
    let hex = |bytes: Bytes| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let golden = [
        (add(4, "d:1", "n"), "2a0e0a0a08041203643a311a016e1002"),
        (DrainNode { node: 4 }, "3004"),
        (UndrainNode { node: 4 }, "3804"),
        (RemoveNode { node: 4 }, "4004"),
        (NodeGone { node: 4 }, "4804"),
    ];
    for (command, bytes) in golden {
        assert_eq!(hex(encode_command(&command)), bytes, "{command:?}");
    }
    let mut old = Catalogue::default();
    old.apply(&FixShards { shards: 2 }).expect("shards");
    let parts = save(&old);
    assert_eq!(
        parts.len(),
        1,
        "what knows of no nodes is written as it was"
    );
    let read = restore(&parts).expect("an older snapshot");
    assert!(read.registry().members().is_empty());
    let kinds: BTreeSet<String> = save(&cluster()).into_iter().map(hex).collect();
    assert!(
        kinds.contains("22070801120361 3a31".replace(' ', "").as_str()),
        "{kinds:?}"
    );
}
