//! The nodes' configuration files.

use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use super::{Cluster, Error, Node};
use crate::node::config::RaftTiming;

/// A node's configuration, as `usher start --config` reads it.
#[derive(Serialize)]
struct NodeFile<'a> {
    cluster_id: String,
    node_id: u64,
    data_dir: &'a Path,
    http: SocketAddr,
    peer: SocketAddr,
    admin: SocketAddr,
    shards: u16,
    dev: bool,
    payments: PaymentsTable,
    peers: Vec<PeerTable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raft: Option<RaftTiming>,
}

#[derive(Clone, Serialize)]
struct PaymentsTable {
    gateway: &'static str,
    url: String,
    webhook_secret: String,
}

#[derive(Clone, Serialize)]
struct PeerTable {
    id: u64,
    addr: String,
}

/// Writes each node's file. All of them are the first members.
pub(super) fn write_configs(cluster: &Cluster) -> Result<(), Error> {
    let all: Vec<&Node> = cluster.nodes.iter().collect();
    cluster
        .nodes
        .iter()
        .try_for_each(|node| write(cluster, node, &all))
}

/// Writes one node's file, which names these others.
pub(super) fn write(cluster: &Cluster, node: &Node, others: &[&Node]) -> Result<(), Error> {
    let payments = PaymentsTable {
        gateway: "sandbox",
        url: format!("http://{}", cluster.provider.address),
        webhook_secret: cluster.secret.clone(),
    };
    let peer = |node: &Node| PeerTable {
        id: node.id,
        addr: node.dialled.to_string(),
    };
    let peers: Vec<PeerTable> = others.iter().map(|node| peer(node)).collect();
    let file = NodeFile {
        cluster_id: cluster.id.to_string(),
        node_id: node.id,
        data_dir: &node.dir,
        http: node.http,
        peer: node.peer,
        admin: node.admin,
        shards: cluster.shards,
        dev: true,
        payments,
        peers,
        raft: cluster.raft.clone(),
    };
    let text = toml::to_string(&file).expect("plain values under plain keys");
    std::fs::write(&node.config, text).map_err(|source| Error::File {
        path: node.config.clone(),
        source,
    })
}
