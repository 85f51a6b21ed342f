//! What goes wrong, and in which order: data that follows from the seed.

use crate::fault::Target;
use crate::seed::Stream;

/// Nodes of the cluster.
pub const NODES: usize = 3;
/// Ledger shards of the cluster.
pub const SHARDS: u16 = 3;

/// One loop: a few things that go wrong together, then everybody comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Links that misbehave meanwhile.
    pub gust: Option<Gust>,
    /// A process that stands still meanwhile.
    pub stall: Option<Stall>,
    /// Wait before the strike, ms.
    pub after_ms: u64,
    /// Who dies.
    pub strike: Strike,
    /// How long they stay dead, ms.
    pub down_ms: u64,
    /// Whether the next blow waits until somebody was told "yes" again.
    pub until_yes: bool,
}

/// Who dies, always by SIGKILL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strike {
    /// One node, or two.
    Kill(Vec<Target>),
    /// All nodes at one moment.
    PowerCut,
}

/// SIGSTOP, and SIGCONT later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Whom.
    pub node: Target,
    /// How long.
    pub for_ms: u64,
}

/// Links that misbehave for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gust {
    /// Who dials and who is dialled.
    pub links: Vec<(usize, usize)>,
    /// How.
    pub kind: Kind,
    /// How long.
    pub for_ms: u64,
}

/// How a link misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its connections break, and may be made again.
    Broken,
    /// Its connections break and nobody gets through.
    Refused,
    /// Bytes come this much later, ms.
    Slow(u64),
    /// Bytes are taken and not delivered: half-open connections.
    Silent,
    /// Only what the dialler says is delivered.
    Deaf,
    /// Only what the dialled one says is delivered.
    Dumb,
}

impl Kind {
    /// For the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Broken => "connections broken",
            Self::Refused => "links refused",
            Self::Slow(_) => "links slow",
            Self::Silent => "links half open",
            Self::Deaf => "answers cut",
            Self::Dumb => "requests cut",
        }
    }
}

/// The blows of a seed, kills and power cuts mixed.
pub fn blows(seed: u64, kills: u64, power_cuts: u64) -> Vec<Blow> {
    let draw = Stream::new(seed, "blows");
    let (mut kills, mut cuts) = (kills, power_cuts);
    let mut blows = Vec::new();
    while kills + cuts > 0 {
        let cut = draw.below(kills + cuts) < cuts;
        match cut {
            true => cuts -= 1,
            false => kills -= 1,
        }
        blows.push(Blow::draw(&draw, cut));
    }
    blows
}

impl Blow {
    fn draw(draw: &Stream, cut: bool) -> Self {
        let strike = match cut {
            true => Strike::PowerCut,
            false => {
                let victims = if draw.percent(12) { 2 } else { 1 };
                Strike::Kill((0..victims).map(|_| target(draw)).collect())
            }
        };
        Self {
            gust: draw.percent(20).then(|| Gust::draw(draw)),
            stall: (!cut && draw.percent(12)).then(|| Stall {
                node: target(draw),
                for_ms: [draw.between(100, 800), draw.between(500, 5_000)][draw.below(2) as usize],
            }),
            after_ms: draw.below(500),
            strike,
            down_ms: [0, draw.below(300), draw.below(1_500)][draw.below(3) as usize],
            until_yes: draw.percent(75),
        }
    }
}

/// Leaders more often than chance would have it.
fn target(draw: &Stream) -> Target {
    match draw.percent(60) {
        true => Target::Leader(draw.below(u64::from(SHARDS) + 1) as u32),
        false => Target::Node(draw.below(NODES as u64) as usize),
    }
}

impl Gust {
    fn draw(draw: &Stream) -> Self {
        let pick = || draw.below(NODES as u64) as usize;
        let one = pick();
        let others = (0..NODES).filter(|other| *other != one);
        let links: Vec<_> = match draw.below(3) {
            // One link, one way of dialling.
            0 => vec![(
                one,
                (one + 1 + draw.below(NODES as u64 - 1) as usize) % NODES,
            )],
            // Between two nodes, both ways.
            1 => {
                let other = (one + 1) % NODES;
                vec![(one, other), (other, one)]
            }
            // All of one node's.
            _ => others
                .flat_map(|other| [(one, other), (other, one)])
                .collect(),
        };
        let kind = match draw.below(6) {
            0 => Kind::Broken,
            1 => Kind::Refused,
            2 => Kind::Slow(draw.between(5, 300)),
            3 => Kind::Silent,
            4 => Kind::Deaf,
            _ => Kind::Dumb,
        };
        Self {
            links,
            kind,
            for_ms: draw.between(200, 4_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_with_as_many_blows_as_were_asked_for() {
        let plan = blows(7, 500, 100);
        assert_eq!(plan, blows(7, 500, 100));
        assert_ne!(plan, blows(8, 500, 100));
        let cuts = plan.iter().filter(|blow| blow.strike == Strike::PowerCut);
        assert_eq!((plan.len(), cuts.count()), (600, 100));
        let gusts = || plan.iter().filter_map(|blow| blow.gust.as_ref());
        assert!(gusts().count() > 60);
        for (from, to) in gusts().flat_map(|gust| &gust.links) {
            assert!(from != to && *from < NODES && *to < NODES);
        }
    }
}
