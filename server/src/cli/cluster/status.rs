//! `usher cluster status`: who leads what, and how far everybody is.

use std::process::ExitCode;

use super::members;
use crate::cli::CliError;
use crate::cli::admin_client::AdminClient;
use crate::cli::say;
use crate::node::admin::StatusView;

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `host:port` of admin listeners; several, separated by commas, for the whole picture.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8091")]
    admin: Vec<String>,
    /// One JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs the command. Exit code 0 when every group of every node asked has a leader, 1 otherwise.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let Args { admin, json } = args;
    let mut nodes: Vec<StatusView> = Vec::new();
    for address in &admin {
        nodes.push(AdminClient::new(address)?.get_json("/admin/status").await?);
    }
    if json {
        let text = serde_json::to_string(&nodes).expect("a status is plain data");
        say(&text);
    } else {
        nodes.iter().for_each(show);
    }
    // Also what a node that only joins, or that is being taken out, has to say of the members.
    if !json {
        for address in &admin {
            let asked = AdminClient::new(address)?.get_json("/admin/members").await;
            if let Ok(members) = asked {
                members::show(&members);
                break;
            }
        }
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
    say(&format!(
        "node {} ({}, http {})",
        node.node_id, node.version, node.http
    ));
    for warning in &node.health.warnings {
        say(&format!("  WARNING: {warning}"));
    }
    let clocks = node.health.clocks.iter().map(|(peer, clock)| {
        let signed = clock.ahead_ms;
        format!(
            "node {peer} {signed:+} ms (give or take {})",
            clock.error_ms
        )
    });
    let clocks: Vec<String> = clocks.collect();
    if !clocks.is_empty() {
        say(&format!("  clocks of others: {}", clocks.join(", ")));
    }
    if let Some(free) = node.health.disk_free_bytes {
        say(&format!(
            "  disk: {} MB free, {}",
            free >> 20,
            node.health.room
        ));
    }
    say("  group  role       term  leader  committed    applied   snapshot");
    for group in &node.groups {
        let leader = group
            .leader
            .map_or_else(|| "-".to_owned(), |leader| leader.to_string());
        say(&format!(
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
