//! Clusters that do nothing: what nodes and shards cost by being there.

use super::account::Account;
use super::figures::Idle;
use super::{Error, Figures, Plan, cluster};
use crate::progress::Progress;

/// Until elections and first ticks are over.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) async fn measure(
    plan: &Plan,
    figures: &mut Figures,
    progress: &Progress,
) -> Result<(), Error> {
    for &nodes in &plan.nodes {
        for &shards in &plan.shards {
            let (cluster, ready_s) = cluster(plan, nodes, shards).await?;
            tokio::time::sleep(SETTLE).await;
            let before = Account::of(&cluster).await?;
            tokio::time::sleep(plan.time).await;
            let after = Account::of(&cluster).await?;
            let spent = after.since(&before);
            let per_node_second = |what: f64| what / spent.nodes / spent.seconds;
            let idle = Idle {
                nodes,
                shards,
                ready_s,
                rss_mib: after.mean(|process| process.rss_bytes as f64) / f64::from(1 << 20),
                cpu_percent: per_node_second(spent.cpu_s) * 100.0,
                syncs_per_s: per_node_second(spent.syncs),
                frames_per_s: per_node_second(spent.frames),
                link_bytes_per_s: per_node_second(spent.link_bytes),
                threads: after.mean(|process| process.threads as f64),
                files: after.mean(|process| process.files as f64),
            };
            progress.say(&format!(
                "{nodes} nodes, {shards} shards, idle: {:.0} MiB, {:.1} % of a core each",
                idle.rss_mib, idle.cpu_percent
            ));
            figures.idle.push(idle);
            cluster.stop().await;
        }
    }
    Ok(())
}
