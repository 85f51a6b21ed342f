//! Nodes and the placement.

use proto::DecodeError;
use proto::error::narrow;
use proto::v1;

use crate::members::{NodeRecord, NodeState, Placement, Wish};

pub(super) fn wire_node(node: u64, record: &NodeRecord) -> v1::NodeRecord {
    v1::NodeRecord {
        node,
        peer: record.peer.clone(),
        zone: record.zone.clone(),
        state: match record.state {
            NodeState::Member => 0,
            NodeState::Draining => 1,
            NodeState::Leaving => 2,
        },
    }
}

pub(super) fn node(wire: v1::NodeRecord) -> Result<(u64, NodeRecord), DecodeError> {
    let state = match wire.state {
        0 => NodeState::Member,
        1 => NodeState::Draining,
        2 => NodeState::Leaving,
        _ => return Err(DecodeError::Missing("node.state")),
    };
    let record = NodeRecord {
        peer: wire.peer,
        zone: wire.zone,
        state,
    };
    Ok((wire.node, record))
}

pub(super) fn wire_placement<'a>(
    version: u64,
    replication: u8,
    groups: impl Iterator<Item = (u32, &'a Wish)>,
) -> v1::Placement {
    let groups = groups.map(|(group, wish)| v1::Wish {
        group,
        voters: wish.voters.iter().copied().collect(),
        leader: wish.leader.unwrap_or(0),
    });
    v1::Placement {
        version,
        replication: replication.into(),
        groups: groups.collect(),
    }
}

/// Version, voters a group, and every group as it stands there.
pub(super) type PlacementParts = (u64, u8, Vec<(u32, Wish)>);

pub(super) fn placement_parts(wire: v1::Placement) -> Result<PlacementParts, DecodeError> {
    let groups = wire.groups.into_iter().map(|wish| {
        let wanted = Wish {
            voters: wish.voters.into_iter().collect(),
            leader: (wish.leader != 0).then_some(wish.leader),
        };
        (wish.group, wanted)
    });
    let replication = narrow(wire.replication, "placement.replication")?;
    Ok((wire.version, replication, groups.collect()))
}

pub(super) fn placement(wire: v1::Placement) -> Result<Placement, DecodeError> {
    let (version, replication, groups) = placement_parts(wire)?;
    Ok(Placement {
        version,
        replication,
        groups: groups.into_iter().collect(),
    })
}
