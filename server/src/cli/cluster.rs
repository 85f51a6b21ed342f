//! `usher cluster status`: who leads what, and how far everybody is.

use std::process::ExitCode;

use super::CliError;
use super::admin_client::AdminClient;
use crate::node::admin::StatusView;

/// Watches a cluster.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Shows every group as the given nodes see it.
    Status {
        /// `host:port` of admin listeners; several, separated by commas, for the whole picture.
        #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8091")]
        admin: Vec<String>,
        /// One JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command. Exit code 0 when every group of every node asked has a leader, 1 otherwise.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let Args::Status { admin, json } = args;
    let mut nodes: Vec<StatusView> = Vec::new();
    for address in &admin {
        nodes.push(AdminClient::new(address)?.get_json("/admin/status").await?);
    }
    if json {
        let text = serde_json::to_string(&nodes).expect("a status is plain data");
        super::say(&text);
    } else {
        nodes.iter().for_each(show);
    }
    let led = nodes
        .iter()
        .flat_map(|node| &node.groups)
        .all(|group| group.leader.is_some());
    Ok(if led {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn show(node: &StatusView) {
    super::say(&format!(
        "node {} ({}, http {})",
        node.node_id, node.version, node.http
    ));
    super::say("  group  role       term  leader  committed    applied   snapshot");
    for group in &node.groups {
        let leader = group
            .leader
            .map_or_else(|| "-".to_owned(), |leader| leader.to_string());
        super::say(&format!(
            "  {:>5}  {:<9} {:>5}  {:>6}  {:>9}  {:>9}  {:>9}",
            group.group,
            group.role,
            group.term,
            leader,
            group.committed,
            group.applied,
            group.snapshot
        ));
    }
}
