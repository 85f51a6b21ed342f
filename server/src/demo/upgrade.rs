//! A rolling upgrade while the cluster sells, as an operator would do it: node by node to this release,
//! one of them back to the release before and forth again, and then for good. What must not work is
//! tried as well: raising the cluster's version while one node is old, and going back behind it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::board::Board;
use super::children::Cluster;
use super::sale::Sale;
use super::scale::{self, Error, Moves};
use crate::progress::Progress;

/// How long a node may take to be ready again.
const BACK_PATIENCE: Duration = Duration::from_secs(60);
/// Between two nodes: the others have to be ready, and buyers shall meet every mixture.
const CALM: Duration = Duration::from_secs(3);
/// Estimates, for the pace of the sale.
const SECONDS_QUIET: u64 = 12;
const SECONDS_EACH: u64 = 10;

/// For how long stock has to last.
pub fn seconds(nodes: u64) -> u64 {
    SECONDS_QUIET + SECONDS_EACH * (nodes + 3)
}

/// Brings every node from the program at `old` to this one, for good, and says when what happened.
pub async fn upgrade(
    cluster: &mut Cluster,
    sale: &Sale,
    board: &Board,
    old: &Path,
    progress: &Progress,
) -> Result<Moves, Error> {
    let mut moves = Moves::after_quiet(sale).await;
    let mut run = Run {
        cluster,
        board,
        old,
    };
    let last = run.cluster.nodes.len() - 1;
    for index in 0..=last {
        let id = run.cluster.nodes[index].id;
        run.restart(index, true).await?;
        moves.note(progress, format!("node {id} runs the new release"));
        if index < last {
            run.refused_as_too_early(index).await?;
        }
    }
    let id = run.cluster.nodes[last].id;
    run.restart(last, false).await?;
    moves.note(progress, format!("node {id} went back to the old release"));
    run.refused_as_too_early(0).await?;
    run.restart(last, true).await?;
    moves.note(progress, format!("node {id} runs the new release again"));
    scale::ask(run.cluster, "POST", "/admin/version", &json!({})).await?;
    moves.note(progress, "the cluster's version was raised".to_owned());
    run.no_way_back(last).await?;
    moves.note(
        progress,
        format!("node {id} was refused by the old release and runs the new one"),
    );
    moves.end();
    Ok(moves)
}

struct Run<'a> {
    cluster: &'a mut Cluster,
    board: &'a Board,
    old: &'a Path,
}

impl Run<'_> {
    /// Stops a node in good order and starts it with the other program.
    async fn restart(&mut self, index: usize, new: bool) -> Result<(), Error> {
        self.board.set_up(index, false);
        self.cluster.stop_node(index).await?;
        self.cluster.nodes[index].program = (!new).then(|| self.old.to_owned());
        self.start(index).await
    }

    async fn start(&mut self, index: usize) -> Result<(), Error> {
        self.cluster.start_node(index)?;
        self.cluster
            .await_probe(index, "/readyz", "ready again", BACK_PATIENCE)
            .await?;
        self.board.set_up(index, true);
        tokio::time::sleep(CALM).await;
        Ok(())
    }

    /// While a node runs the old release the version stays.
    async fn refused_as_too_early(&self, by: usize) -> Result<(), Error> {
        let raise = json!({});
        let node = self.cluster.nodes[by].admin;
        match scale::ask_at(node, "POST", "/admin/version", &raise).await {
            Err(Error::Refused { said, .. }) if said.contains("NODES_TOO_OLD") => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(Error::Refused {
                what: "the version was raised".to_owned(),
                said: "while a node ran the old release".to_owned(),
            }),
        }
    }

    /// The old release refuses the directory of a node whose cluster's version was raised.
    async fn no_way_back(&mut self, index: usize) -> Result<(), Error> {
        self.board.set_up(index, false);
        self.cluster.stop_node(index).await?;
        self.cluster.nodes[index].program = Some(self.old.to_owned());
        self.cluster.start_node(index)?;
        let start = Instant::now();
        while self.cluster.check_running().is_ok() {
            if start.elapsed() > BACK_PATIENCE {
                return Err(Error::Refused {
                    what: "a node whose cluster's version was raised".to_owned(),
                    said: "it still runs the old release".to_owned(),
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.cluster.kill_node(index);
        self.cluster.nodes[index].program = None;
        self.start(index).await
    }
}
