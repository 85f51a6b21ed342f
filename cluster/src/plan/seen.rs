//! A group as its leader describes it.

use std::collections::{BTreeMap, BTreeSet};

use probes::Bug;

/// What the leader of a group says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSeen {
    /// Who says so.
    pub leader: u64,
    /// Who votes: one set, or two (the old one, the new one) while a change is half done.
    pub configs: Vec<BTreeSet<u64>>,
    /// Whether the newest membership is committed.
    pub settled: bool,
    /// Index of the last entry of the leader's log.
    pub last_log: u64,
    /// Every member, voters and learners, the leader included.
    pub replicas: BTreeMap<u64, ReplicaSeen>,
}

/// A member of a group, as the leader knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSeen {
    /// Where the group dials it.
    pub peer: String,
    /// Up to here its log is known to be the leader's.
    pub matched: u64,
    /// How long ago it last answered, in ms; `None`: not within this leader's time.
    pub heard_ms: Option<u64>,
}

/// Every group; `None` when no leader could be asked.
pub type Seen = BTreeMap<u32, Option<GroupSeen>>;

/// What counts as being there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// A replica is caught up when it lacks at most so many entries.
    pub lag_entries_max: u64,
    /// A replica is there when it answered at most so long ago, in ms.
    pub silence_ms_max: u64,
}

impl GroupSeen {
    /// Whoever votes, in one configuration or the other.
    pub fn voters(&self) -> BTreeSet<u64> {
        self.configs.iter().flatten().copied().collect()
    }

    /// Members without a vote.
    pub fn learners(&self) -> impl Iterator<Item = u64> {
        let voters = self.voters();
        let members = self.replicas.keys().copied();
        members.filter(move |member| !voters.contains(member))
    }

    /// Entries a member lacks; all of them, if it is no member.
    pub fn lag(&self, node: u64) -> u64 {
        let matched = self.replicas.get(&node).map_or(0, |seen| seen.matched);
        self.last_log.saturating_sub(matched)
    }

    /// Whether a member answered lately.
    pub fn is_heard(&self, node: u64, bounds: Bounds) -> bool {
        let heard = self.replicas.get(&node).and_then(|seen| seen.heard_ms);
        node == self.leader || heard.is_some_and(|ms| ms <= bounds.silence_ms_max)
    }

    /// Whether a member answered lately and has the log: it could vote for what comes next.
    pub fn is_ready(&self, node: u64, bounds: Bounds) -> bool {
        let caught_up = self.lag(node) <= bounds.lag_entries_max;
        let member = self.replicas.contains_key(&node);
        let early = probes::planted(Bug::LearnerPromotedEarly);
        member && self.is_heard(node, bounds) && (caught_up || early)
    }

    /// Those of a configuration that are not ready, when the others are no majority.
    pub fn missing(&self, config: &BTreeSet<u64>, bounds: Bounds) -> Option<BTreeSet<u64>> {
        let ready = |node: &u64| self.is_ready(*node, bounds);
        let (there, missing): (BTreeSet<u64>, BTreeSet<u64>) =
            config.iter().copied().partition(ready);
        let enough = match probes::planted(Bug::PlanCountsHalfAsQuorum) {
            true => 2 * there.len() >= config.len(),
            false => 2 * there.len() > config.len(),
        };
        (!enough).then_some(missing)
    }
}
