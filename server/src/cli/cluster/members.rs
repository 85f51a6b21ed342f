//! `usher cluster members`: who belongs to the cluster, and what is still to be done.

use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::admin_client::AdminClient;
use crate::cli::say;
use crate::node::admin::MembersView;

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `host:port` of a node's admin listener; any node can tell.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command. Exit code 0 when everything is as it is wanted, 1 while something is to be done.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let members = ask(&AdminClient::new(&args.admin)?).await?;
    match args.json {
        true => say(&serde_json::to_string(&members).expect("members are plain data")),
        false => show(&members),
    }
    Ok(match members.settled {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The members, as one node sees them.
pub async fn ask(client: &AdminClient) -> Result<MembersView, CliError> {
    client.get_json("/admin/members").await
}

/// Prints them.
pub fn show(members: &MembersView) {
    say(&format!(
        "members (placement {}, {} voters a group, as node {} sees it)",
        members.placement, members.replicas, members.node_id
    ));
    say("   node  state     zone        replicas  votes  leads      lag  heard     peer");
    for node in &members.nodes {
        let heard = node
            .heard_ms
            .map_or("never".to_owned(), |ms| format!("{ms} ms"));
        say(&format!(
            "  {:>5}  {:<8}  {:<10}  {:>8}  {:>5}  {:>5}  {:>7}  {:<8}  {}",
            node.id,
            node.state,
            if node.zone.is_empty() {
                "-"
            } else {
                &node.zone
            },
            node.replicas,
            node.votes,
            node.leads,
            node.lag,
            heard,
            node.peer
        ));
    }
    if !members.gone.is_empty() {
        say(&format!("  gone: {:?}", members.gone));
    }
    if let Some(did) = members.did.as_ref().filter(|_| !members.settled) {
        say(&format!("  done last: {did}"));
    }
    if let Some(failed) = &members.failed {
        say(&format!("  failed last: {failed}"));
    }
    to_do(&members.steps);
    for blocked in &members.blocked {
        say(&format!("  waits: {}; {}", blocked.reason, blocked.remedy));
    }
    if members.outside {
        say("  this node is in no group (any more): ask another one for the whole truth");
    } else if members.settled {
        say("  settled");
    }
}

/// Prints what is to be done.
pub fn to_do(steps: &[String]) {
    for (number, step) in (1..).zip(steps) {
        say(&format!("  {number:>4}. {step}"));
    }
}
