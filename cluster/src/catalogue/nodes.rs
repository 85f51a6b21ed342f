//! Nodes in the catalogue: who belongs to the cluster, what operators want of them, and who is to
//! vote where. Each refusal changes nothing and says what to do instead.

use probes::Bug;

use super::Catalogue;
use super::words::{CatalogueOutcome, CatalogueReceipt, CatalogueRejection};
use crate::members::{
    ADDRESS_BYTES_MAX, NODES_MAX, NodeRecord, NodeState, Placement, REPLICATION_MAX, Wish,
    ZONE_BYTES_MAX,
};

impl Catalogue {
    pub(super) fn add_node(
        &mut self,
        node: u64,
        record: &NodeRecord,
        shards: u16,
    ) -> CatalogueOutcome {
        let router = self.router().ok_or(CatalogueRejection::NoShards)?;
        if !sound(node, record) {
            return Err(CatalogueRejection::NodeInvalid);
        }
        if shards != router.count() {
            let shards = router.count();
            return Err(CatalogueRejection::ShardsAreFixed { shards });
        }
        if self.registry.gone.contains(&node) {
            return Err(CatalogueRejection::NodeWasRemoved);
        }
        if let Some(known) = self.registry.nodes.get_mut(&node) {
            if known.peer != record.peer {
                return Err(CatalogueRejection::NodeIdTaken);
            }
            if known.zone.is_empty() {
                known.zone.clone_from(&record.zone);
            }
            let told_otherwise = !record.zone.is_empty() && known.zone != record.zone;
            return match told_otherwise {
                true => Err(CatalogueRejection::NodeIdTaken),
                false => Ok(CatalogueReceipt::NodeNoted { node }),
            };
        }
        let mut others = self.registry.nodes.iter();
        if let Some((&node, _)) = others.find(|(_, other)| other.peer == record.peer) {
            return Err(CatalogueRejection::AddressTaken { node });
        }
        if self.registry.nodes.len() >= NODES_MAX {
            return Err(CatalogueRejection::NodesMax);
        }
        let record = NodeRecord {
            state: NodeState::Member,
            ..record.clone()
        };
        self.registry.nodes.insert(node, record);
        Ok(CatalogueReceipt::NodeNoted { node })
    }

    pub(super) fn drain_node(&mut self, node: u64) -> CatalogueOutcome {
        match self.registry.state(node) {
            None => Err(CatalogueRejection::NodeUnknown),
            // One that is leaving is drained as well.
            Some(NodeState::Draining | NodeState::Leaving) => {
                Ok(CatalogueReceipt::NodeNoted { node })
            }
            Some(NodeState::Member) => self.take_away(node, NodeState::Draining),
        }
    }

    pub(super) fn undrain_node(&mut self, node: u64) -> CatalogueOutcome {
        let known = self.registry.nodes.get_mut(&node);
        let known = known.ok_or(CatalogueRejection::NodeUnknown)?;
        if known.state == NodeState::Leaving {
            return Err(CatalogueRejection::NodeIsLeaving);
        }
        known.state = NodeState::Member;
        Ok(CatalogueReceipt::NodeNoted { node })
    }

    pub(super) fn remove_node(&mut self, node: u64) -> CatalogueOutcome {
        if self.registry.gone.contains(&node) {
            return Ok(CatalogueReceipt::NodeNoted { node });
        }
        match self.registry.state(node) {
            None => Err(CatalogueRejection::NodeUnknown),
            Some(NodeState::Leaving) => Ok(CatalogueReceipt::NodeNoted { node }),
            Some(NodeState::Member) => self.take_away(node, NodeState::Leaving),
            Some(NodeState::Draining) => self.set(node, NodeState::Leaving),
        }
    }

    pub(super) fn node_gone(&mut self, node: u64) -> CatalogueOutcome {
        if self.registry.gone.contains(&node) {
            return Ok(CatalogueReceipt::NodeNoted { node });
        }
        let state = self.registry.state(node);
        let state = state.ok_or(CatalogueRejection::NodeUnknown)?;
        if state != NodeState::Leaving || self.registry.placement.names(node) {
            return Err(CatalogueRejection::NotDrained);
        }
        self.registry.nodes.remove(&node);
        self.registry.gone.insert(node);
        Ok(CatalogueReceipt::NodeNoted { node })
    }

    pub(super) fn place(
        &mut self,
        expected: u64,
        replication: u8,
        groups: &[(u32, Wish)],
    ) -> CatalogueOutcome {
        let router = self.router().ok_or(CatalogueRejection::NoShards)?;
        let placement = &self.registry.placement;
        let wishes = groups.iter().cloned().collect();
        let version = placement.version;
        let same = placement.replication == replication && placement.groups == wishes;
        if version == expected + 1 && same {
            return Ok(CatalogueReceipt::PlacedAt { version });
        }
        if version != expected && !probes::planted(Bug::OldPlacementAccepted) {
            return Err(CatalogueRejection::PlacementConflict { version });
        }
        // The system group and every shard, each once.
        let all = wishes.keys().copied().eq(0..=u32::from(router.count()));
        let members = self.registry.members();
        let possible = |wish: &Wish| {
            let leader = wish
                .leader
                .is_none_or(|leader| wish.voters.contains(&leader));
            leader
                && wish.voters.len() == usize::from(replication)
                && wish.voters.is_subset(&members)
        };
        let sound = (1..=REPLICATION_MAX).contains(&replication)
            && groups.len() == wishes.len()
            && all
            && wishes.values().all(possible);
        if !sound {
            return Err(CatalogueRejection::PlacementInvalid);
        }
        let version = version + 1;
        self.registry.placement = Placement {
            version,
            replication,
            groups: wishes,
        };
        Ok(CatalogueReceipt::PlacedAt { version })
    }

    /// A member is to vote no more: enough others have to be left.
    fn take_away(&mut self, node: u64, state: NodeState) -> CatalogueOutcome {
        let placement = &self.registry.placement;
        if placement.version == 0 {
            return Err(CatalogueRejection::NotPlaced);
        }
        let left = self.registry.members().len() - 1;
        if left < usize::from(placement.replication) {
            let replication = placement.replication.into();
            return Err(CatalogueRejection::TooFewNodes { replication });
        }
        self.set(node, state)
    }

    fn set(&mut self, node: u64, state: NodeState) -> CatalogueOutcome {
        let known = self.registry.nodes.get_mut(&node);
        known.ok_or(CatalogueRejection::NodeUnknown)?.state = state;
        Ok(CatalogueReceipt::NodeNoted { node })
    }
}

fn sound(node: u64, record: &NodeRecord) -> bool {
    let dialled = record.peer.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let short = record.peer.len() <= ADDRESS_BYTES_MAX && record.zone.len() <= ZONE_BYTES_MAX;
    node > 0 && dialled && short
}
