//! Where everything is wanted: with as few moves as it takes.

use std::collections::BTreeMap;

use super::leaders;
use super::seen::Seen;
use super::voters::Seats;
use crate::members::{Registry, Wish};

/// There are fewer members than voters a group is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{members} nodes may vote, and every group is to have {replication} voters; \
     add a node, or ask for fewer replicas"
)]
pub struct Unplaceable {
    /// How many members there are.
    pub members: usize,
    /// How many are needed.
    pub replication: u8,
}

/// Groups as they are, as wishes: whoever votes and leads now.
pub fn as_seen(seen: &Seen) -> BTreeMap<u32, Wish> {
    let seen = seen.iter().map(|(group, seen)| {
        let wish = seen.as_ref().map_or_else(Wish::default, |seen| Wish {
            voters: seen.configs.last().cloned().unwrap_or_default(),
            leader: None,
        });
        (*group, wish)
    });
    seen.collect()
}

/// The same placement without those who may not vote: they are replaced, and nothing else moves.
pub fn repair(
    registry: &Registry,
    replication: u8,
    base: &BTreeMap<u32, Wish>,
) -> Result<BTreeMap<u32, Wish>, Unplaceable> {
    let mut seats = Seats::new(registry, replication, base)?;
    seats.fill();
    let mut groups = seats.into_groups();
    leaders::keep_or_replace(&mut groups);
    Ok(groups)
}

/// A placement in which voters and leaders lie evenly on nodes, and a group's voters on zones.
/// `load` tells what leading a group costs, in any unit; those not named cost nothing.
pub fn balance(
    registry: &Registry,
    replication: u8,
    base: &BTreeMap<u32, Wish>,
    load: &BTreeMap<u32, u64>,
) -> Result<BTreeMap<u32, Wish>, Unplaceable> {
    let mut seats = Seats::new(registry, replication, base)?;
    seats.fill();
    seats.spread_over_zones();
    seats.level();
    let mut groups = seats.into_groups();
    leaders::assign(&mut groups, &registry.members(), load);
    Ok(groups)
}
