//! How a node says that it is there. One that joins registers itself through whoever answers, as often
//! as it takes; any other tells its zone, if it has one. After that the mover gives it its replicas.

use std::sync::Arc;
use std::time::Duration;

use cluster::SYSTEM_GROUP;
use cluster::catalogue::{CatalogueCommand, CatalogueRejection};
use cluster::members::NodeRecord;
use raft_node::{Client, StrangerError};

use crate::node::backend::Replicas;

const ASK_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// What a node tells of itself.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Its id.
    pub node: u64,
    /// Where it is.
    pub record: NodeRecord,
    /// How many shards it was told the cluster has.
    pub shards: u16,
    /// The newest cluster version that it supports.
    pub supports: u16,
    /// Whether it joins a cluster that exists.
    pub joins: bool,
}

/// Registers a node; returns once that is done, or with the reason why it will never be.
pub async fn introduce(
    client: Client,
    replicas: Arc<Replicas>,
    me: Introduction,
) -> Result<(), String> {
    // A member without a zone has nothing to tell: the mover takes it over as it is.
    if !me.joins && me.record.zone.is_empty() {
        return Ok(());
    }
    let command = cluster::codec::encode_command(&CatalogueCommand::AddNode {
        node: me.node,
        record: me.record.clone(),
        shards: me.shards,
        supports: me.supports,
    });
    let mut said = String::new();
    loop {
        if is_known(&replicas, &me) {
            return Ok(());
        }
        let command = command.clone();
        let asked = client
            .propose_as_stranger(SYSTEM_GROUP, command, ASK_WITHIN)
            .await;
        let waits = match asked {
            Ok(committed) => match cluster::codec::decode_outcome(&committed.outcome) {
                Ok(Ok(_)) => {
                    tracing::info!(node = me.node, "registered with the cluster");
                    return Ok(());
                }
                Ok(Err(CatalogueRejection::NoShards)) => {
                    "the cluster has not been initialized (usher init)".to_owned()
                }
                Ok(Err(rejection)) => return refused(&me, &rejection),
                Err(error) => error.to_string(),
            },
            Err(error @ StrangerError::AnotherCluster { .. }) => return refused(&me, &error),
            Err(error) => error.to_string(),
        };
        if said != waits {
            tracing::info!(node = me.node, reason = waits, "waits to be registered");
            said = waits;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether this node's own replica of the catalogue has it already.
fn is_known(replicas: &Replicas, me: &Introduction) -> bool {
    replicas.catalogue.look(|catalogue, _, _| {
        let known = catalogue.registry().node(me.node);
        known.is_some_and(|known| {
            let zone = me.record.zone.is_empty() || known.zone == me.record.zone;
            known.peer == me.record.peer && zone
        })
    })
}

fn refused(me: &Introduction, why: &dyn std::fmt::Display) -> Result<(), String> {
    if me.joins {
        return Err(format!("node {} may not join: {why}", me.node));
    }
    tracing::warn!(node = me.node, reason = %why, "its zone was refused");
    Ok(())
}
