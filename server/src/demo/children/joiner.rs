//! Nodes that come and go while the cluster runs.

use std::time::{Duration, Instant};

use super::ports::free_address;
use super::{Cluster, Error, Node, START_PATIENCE, config_files};

/// How long a node may take to finish what it is at when it is told to stop.
const END_PATIENCE: Duration = Duration::from_secs(30);

impl Cluster {
    /// Starts one node more, which joins; returns its index when it serves readers.
    pub async fn add_node(&mut self) -> Result<usize, Error> {
        let id = self.nodes.iter().map(|node| node.id).max().unwrap_or(0) + 1;
        let free = || free_address().ok_or(Error::NoPort);
        let addresses = (free()?, free()?, free()?);
        let node = Node::new(&self.dir, id, addresses);
        let mut known: Vec<&Node> = self.members().collect();
        known.push(&node);
        config_files::write(self, &node, &known)?;
        let index = self.nodes.len();
        self.nodes.push(node);
        self.start_node_with(index, &["--join".to_owned()])?;
        self.await_probe(index, "/readyz", "ready", START_PATIENCE)
            .await?;
        Ok(index)
    }

    /// Lets a node that left end in good order.
    pub async fn retire_node(&mut self, index: usize) -> Result<(), Error> {
        self.nodes[index].retired = true;
        self.stop_node(index).await
    }

    /// Lets a node end in good order; it has to, by itself and without a complaint.
    pub async fn stop_node(&mut self, index: usize) -> Result<(), Error> {
        let node = &mut self.nodes[index];
        let Some(mut child) = node.child.take() else {
            return Ok(());
        };
        drop(child.stdin.take());
        let start = Instant::now();
        let what = format!("node {}", node.id);
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => {
                    return Err(Error::Ended {
                        what,
                        status: status.to_string(),
                        log: node.log.clone(),
                        tail: super::tail(&node.log),
                    });
                }
                _ if start.elapsed() > END_PATIENCE => {
                    // It may end just now; gone is gone.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(Error::Late {
                        what,
                        wanted: "gone",
                        seconds: END_PATIENCE.as_secs(),
                        last: "it still ran".to_owned(),
                    });
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}
