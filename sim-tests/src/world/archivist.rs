//! Whoever takes backups while people buy and things go wrong, as `usher backup create` does: asks
//! every group how far it is, twice, pulls a snapshot and a log each, applies them, closes the cut.
//!
//! Two promises are judged on the spot. `backup_is_consistent`: the groups' states fit together, and
//! every ledger's invariants hold. `backup_has_what_was_acknowledged`: an order that somebody was told is
//! paid before the backup began is sold in it. A backup that cannot be taken, because nobody leads or
//! a node dies meanwhile, is none: operators try again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledger::OrderId;
use raft_node::Node;
use raft_node::backup::LogEntry;
use server::backup::cut::{self, Need};
use server::backup::world::World as Restored;

use super::World;
use super::machine::CLUSTER;
use crate::history::{History, Told};
use crate::seed::Stream;

/// How long a group's leader may take to say how far it is, and a replica to get there.
const PATIENCE: Duration = Duration::from_secs(3);
const PIECE_BYTES: usize = 16 << 10;

/// What one group has in a backup.
struct Pulled {
    base: Vec<u8>,
    log: Vec<LogEntry>,
    first: u64,
}

/// Takes as many backups as the run is to have.
pub async fn keep(world: Arc<World>, history: Arc<History>) {
    let chance = Stream::new(world.scenario.entropy, "archivist");
    let backups = world.scenario.backups;
    for number in 0..backups {
        let pause = world.scenario.lasts_ms / (backups + 1);
        tokio::time::sleep(Duration::from_millis(chance.between(pause / 2, pause))).await;
        let taken = take(&world, &history, chance.below(64)).await;
        history.note(&format!("backup {number}: {taken:?}"));
        let row = match taken {
            Some(_) => "a backup is taken",
            None => "a backup cannot be taken",
        };
        world.tally.count(row);
    }
}

/// The entries past the first answers that made the cut consistent.
async fn take(world: &World, history: &History, at: u64) -> Option<u64> {
    let paid: Vec<OrderId> = history
        .all_yes()
        .iter()
        .filter(|yes| yes.told == Told::Paid)
        .filter_map(|yes| api::text::parse_order(&yes.order))
        .collect();
    let alive = world.somebody(at)?;
    let node = alive.node.clone();
    let pulled = alive.does(async move { pull(&node).await }).await??;
    probes::uncounted(|| judge(world, pulled, &paid))
}

async fn marks(node: &Node) -> Option<BTreeMap<u32, u64>> {
    let mut marks = BTreeMap::new();
    for group in node.groups() {
        let index = node.client().read_index(group, PATIENCE).await.ok()?;
        marks.insert(group, index);
    }
    Some(marks)
}

async fn pull(node: &Node) -> Option<BTreeMap<u32, Pulled>> {
    // Before anybody is asked: what is newer than the answers knows what no other group will have.
    let mut bases = BTreeMap::new();
    for group in node.groups() {
        bases.insert(group, node.backup_base(group).await.ok()?);
    }
    let first = marks(node).await?;
    let second = marks(node).await?;
    let mut pulled = BTreeMap::new();
    for (group, upto) in second {
        let waited = node.client().wait_applied(group, upto, PATIENCE).await;
        waited.ok()?;
        let (mut log, mut next) = (
            Vec::new(),
            bases[&group].as_ref().map_or(0, |base| base.next),
        );
        while next <= upto {
            let more = node.backup_entries(group, next, upto, PIECE_BYTES).ok()?;
            next = more.last()?.at.index + 1;
            log.extend(more);
        }
        let (base, first) = (Vec::new(), first[&group]);
        pulled.insert(group, Pulled { base, log, first });
    }
    for (group, base) in bases {
        let (Some(base), Some(pulled)) = (base, pulled.get_mut(&group)) else {
            continue;
        };
        let bytes = &mut pulled.base;
        while (bytes.len() as u64) < base.bytes {
            let piece = base.read(bytes.len() as u64, PIECE_BYTES).await.ok()?;
            if piece.is_empty() {
                return None;
            }
            bytes.extend_from_slice(&piece);
        }
    }
    Some(pulled)
}

fn judge(world: &World, pulled: BTreeMap<u32, Pulled>, paid: &[OrderId]) -> Option<u64> {
    let wrong = |found: String| world.alarm("backup_is_consistent", found);
    let mut restored = Restored::fresh(world.scenario.shards);
    let mut ahead = BTreeMap::new();
    for (
        group,
        Pulled {
            base,
            mut log,
            first,
        },
    ) in pulled
    {
        if !base.is_empty()
            && let Err(error) = restored.restore(CLUSTER, group, base.into())
        {
            wrong(format!("the base of group {group}: {error}"));
            return None;
        }
        let behind = log.partition_point(|entry| entry.at.index <= cut::least(first));
        let rest = log.split_off(behind);
        for entry in &log {
            if let Err(error) = restored.apply(group, entry) {
                wrong(format!("group {group}: {error}"));
                return None;
            }
        }
        ahead.insert(group, rest);
    }
    let entries =
        |restored: &Restored| -> u64 { restored.groups.values().map(|group| group.next()).sum() };
    let before = entries(&restored);
    match cut::close(&mut restored, &ahead) {
        Ok(left) => {
            let strict = left.iter().filter(|need| need.is_strict());
            strict.for_each(|need: &Need| wrong(need.to_string()));
        }
        Err(error) => wrong(error.to_string()),
    }
    restored.broken().into_iter().for_each(wrong);
    for order in paid {
        let home = restored.replicas.ledgers.get(&order.home())?;
        let sold =
            home.look(|ledger, _, _| ledger.order(*order).is_some_and(|order| order.is_sold()));
        if !sold {
            let found = format!("order {order} was paid before, and is not sold in the backup");
            world.alarm("backup_has_what_was_acknowledged", found);
        }
    }
    Some(entries(&restored) - before)
}
