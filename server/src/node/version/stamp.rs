//! Writing into the data directory that it needs a release which supports the cluster's version.

use std::sync::Arc;
use std::time::Duration;

use cluster::SYSTEM_GROUP;
use raft_node::Node;
use tokio::task::JoinHandle;

use crate::node::backend::Replicas;

/// After a write that failed. The log's disk is the same one: if that fails, the node stops anyway.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the cluster's version for as long as it lives.
pub struct Stamping(JoinHandle<()>);

impl Stamping {
    /// Begins to.
    pub fn begin(node: &Arc<Node>, replicas: &Arc<Replicas>) -> Self {
        // Weak: who only follows must not keep a node alive that is to stop.
        let (node, replicas) = (Arc::downgrade(node), replicas.clone());
        Self(tokio::spawn(async move {
            let applied = node.upgrade().and_then(|node| node.applied(SYSTEM_GROUP));
            let Some(mut applied) = applied else { return };
            let mut stamped = cluster::version::OLDEST;
            loop {
                let index = applied.borrow().index;
                let version = replicas
                    .catalogue
                    .look(|catalogue, _, _| catalogue.version());
                if version > stamped {
                    let Some(node) = node.upgrade() else { return };
                    match node.needs_version(version.into()).await {
                        Ok(()) => {
                            stamped = version;
                            tracing::info!(version, "the cluster's version; no way back behind it");
                            continue;
                        }
                        Err(error) => {
                            tracing::error!(%error, "cannot write down what this directory needs");
                            drop(node);
                            tokio::time::sleep(PAUSE).await;
                            continue;
                        }
                    }
                }
                if applied.until(|now| now.index > index).await.is_none() {
                    return;
                }
            }
        }))
    }
}

impl Drop for Stamping {
    fn drop(&mut self) {
        self.0.abort();
    }
}
