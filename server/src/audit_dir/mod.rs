//! `usher audit DIR`: replays a stopped node's log from its newest snapshot and proves the
//! promises for every entry on the way, with a second, naive account of every seat beside the
//! ledger's own.
//!
//! What it stands on: [`replay`](raft_node::replay) applies exactly what the node knew to be
//! committed; [`watch`] keeps the naive account; [`end`] judges the state at the end.

mod end;
mod machine;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cluster::SYSTEM_GROUP;
use ledger::ShardId;
use raft_node::platform::Platform;
use raft_node::replay::{ReplayError, Replayed, replay};

use crate::node::machines::CatalogueMachine;
use machine::AuditMachine;

/// Why a directory could not be audited.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such directory.
    #[error("{0}: no such directory")]
    Missing(String),
    /// The directory cannot be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// What an audit found.
#[derive(Debug, Default)]
pub struct Report {
    /// What was replayed, a group each.
    pub replayed: Vec<Replayed>,
    /// Facts checked on the way.
    pub facts: u64,
    /// Places sold at the end.
    pub sold: u64,
    /// Orders paid at the end.
    pub paid: u64,
    /// Holds whose time ran out on the way.
    pub expired: u64,
    /// The longest any of them outlived its deadline, in ms of the log's time.
    pub late_ms_max: u64,
    /// Whatever breaks a promise: which, and how.
    pub broken: BTreeSet<(&'static str, String)>,
}

/// Audits a stopped node's directory.
pub async fn audit(dir: &Path) -> Result<Report, Error> {
    if !dir.is_dir() {
        return Err(Error::Missing(dir.display().to_string()));
    }
    let (catalogue_machine, catalogue) = CatalogueMachine::new();
    let mut system = BTreeMap::from([(SYSTEM_GROUP, catalogue_machine)]);
    let mut report = Report {
        replayed: replay(Platform::os(dir)?, &mut system, |_, _, _, _| {}).await?,
        ..Report::default()
    };
    let shards = catalogue.look(|catalogue, _, _| catalogue.router());
    let shards = shards.map_or(0, |router| router.count());
    let mut machines: BTreeMap<u32, AuditMachine> = (1..=shards)
        .map(|shard| (shard.into(), AuditMachine::new(ShardId(shard))))
        .collect();
    report
        .replayed
        .extend(replay(Platform::os(dir)?, &mut machines, |_, _, _, _| {}).await?);
    for machine in machines.values_mut() {
        machine.finish();
        report.facts += machine.watch.facts;
        report.expired += machine.watch.expired;
        report.late_ms_max = report.late_ms_max.max(machine.watch.late_ms_max);
        report.broken.append(&mut machine.watch.broken);
    }
    let ledgers: Vec<_> = machines.values().map(|machine| &machine.ledger).collect();
    end::judge(&ledgers, &mut report);
    Ok(report)
}
