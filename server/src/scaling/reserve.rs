//! Reservations: what one costs, by how many go into a log entry, by nodes and by shards.

use super::account::Account;
use super::figures::Reserves;
use super::{Error, Figures, Plan, cluster};
use crate::demo::board;
use crate::demo::children::Cluster;
use crate::loadgen::{self, Workload, on_one_thread};
use crate::progress::Progress;

/// With few clients an entry has few commands: the two together tell what each costs.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// Of clusters whose events are spread.
const SHARDS: u16 = 64;
/// Where it is told what more nodes cost.
const SPREAD: u16 = 8;

pub(super) async fn measure(
    plan: &Plan,
    figures: &mut Figures,
    progress: &Progress,
) -> Result<(), Error> {
    for &nodes in &plan.nodes {
        let mut spreads = vec![SPREAD];
        if nodes == 3 {
            let doors = ["all", "leader"].into_iter();
            let runs = doors.flat_map(|doors| {
                CLIENTS.map(|clients| Run {
                    spread: 1,
                    clients,
                    doors,
                })
            });
            carry_out(plan, (nodes, 1), runs.collect(), figures, progress).await?;
            spreads.clone_from(&plan.shards);
        }
        let runs = spreads.into_iter().map(|spread| Run {
            spread,
            clients: 64,
            doors: "all",
        });
        carry_out(plan, (nodes, SHARDS), runs.collect(), figures, progress).await?;
    }
    Ok(())
}

async fn carry_out(
    plan: &Plan,
    (nodes, shards): (u64, u16),
    runs: Vec<Run>,
    figures: &mut Figures,
    progress: &Progress,
) -> Result<(), Error> {
    let (cluster, _) = cluster(plan, nodes, shards).await?;
    for run in runs {
        let reserves = run.carry_out(&cluster, nodes, plan).await?;
        progress.say(&format!(
            "{nodes} nodes, over {} shards, {} clients at {} doors: {:.0} requests a second, {:.0} µs of CPU each",
            run.spread, run.clients, run.doors, reserves.row.requests_per_s, reserves.row.server_cpu_us
        ));
        figures.reserves.push(reserves);
    }
    cluster.stop().await;
    Ok(())
}

struct Run {
    spread: u16,
    clients: usize,
    doors: &'static str,
}

impl Run {
    async fn carry_out(
        &self,
        cluster: &Cluster,
        nodes: u64,
        plan: &Plan,
    ) -> Result<Reserves, Error> {
        let mut doors = cluster.doors();
        if self.doors == "leader" {
            // There is but one shard: at its leader's door nothing is forwarded.
            let leader = board::leaders(&cluster.admins()).await.remove(&1);
            let found = cluster.members().find(|node| Some(node.id) == leader);
            doors = vec![
                found
                    .ok_or_else(|| Error::Late("a leader".to_owned()))?
                    .http,
            ];
        }
        let load = loadgen::Plan {
            label: "usher".to_owned(),
            targets: doors,
            workload: Workload::Hold,
            clients: self.clients,
            time: plan.time,
            rate: None,
            spread: Some(self.spread),
            pids: cluster.node_pids(),
        };
        let before = Account::of(cluster).await?;
        let row = on_one_thread(move || async move { loadgen::run(&load).await }).await?;
        let spent = Account::of(cluster).await?.since(&before);
        let (entries, commands) = (spent.entries.max(1.0), spent.commands.max(1.0));
        Ok(Reserves {
            nodes,
            spread: self.spread,
            doors: self.doors,
            row,
            commands_per_entry: commands / entries,
            syncs_per_entry: spent.syncs / entries,
            log_bytes_per_command: spent.log_bytes / spent.nodes / commands,
            link_bytes_per_command: spent.link_bytes / commands,
            frames_per_command: spent.frames / commands,
        })
    }
}
