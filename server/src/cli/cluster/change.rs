//! The commands that change members.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::members::{ask, to_do};
use super::watch::until_settled;
use crate::cli::CliError;
use crate::cli::admin_client::AdminClient;
use crate::cli::say;
use crate::node::admin::{AddRequest, ChangeView, RebalanceRequest};

/// How to make a change.
#[derive(Debug, clap::Args)]
pub struct How {
    /// `host:port` of a node's admin listener; any node will do.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// Prints the steps and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Returns when the last step is done.
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// How long to wait at most, in seconds.
    #[arg(long, default_value_t = 600, requires = "wait")]
    pub timeout: u64,
    /// JSON instead of words.
    #[arg(long)]
    pub json: bool,
}

/// A node to register.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Its id, which no node ever had.
    pub id: u64,
    /// `host:port` under which the other nodes reach it.
    #[arg(long)]
    pub peer: String,
    /// What it fails together with: a rack, a room, a provider's zone.
    #[arg(long, default_value = "")]
    pub zone: String,
    #[command(flatten)]
    how: How,
}

/// A node to change.
#[derive(Debug, clap::Args)]
pub struct Node {
    /// Its id.
    pub id: u64,
    /// Records the wish although it cannot be carried out now, for instance because a node that is
    /// needed is down and will be back.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    how: How,
}

/// A node to replace.
#[derive(Debug, clap::Args)]
pub struct Replace {
    /// The id of the node that leaves.
    pub id: u64,
    /// The id of a node that has joined (`usher start --join`) and votes nowhere yet.
    #[arg(long)]
    pub with: u64,
    /// Records the wish although it cannot be carried out now.
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    how: How,
}

/// How to spread.
#[derive(Debug, clap::Args)]
pub struct Rebalance {
    /// How many voters a group is to have from now on: odd, and at most as many as there are nodes.
    /// 3 survive one failure, 5 two. As many as now when left out.
    #[arg(long)]
    pub replicas: Option<u8>,
    #[command(flatten)]
    how: How,
}

/// Which leader.
#[derive(Debug, clap::Args)]
pub struct MoveLeader {
    /// The group: 0 is the system group, shards are from 1 on.
    #[arg(long)]
    pub group: u32,
    /// Who is to lead; it has to be a voter of the group, and caught up.
    #[arg(long)]
    pub to: u64,
    /// `host:port` of a node's admin listener; any node will do.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// Says whether it could be done, and changes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// JSON instead of words.
    #[arg(long)]
    pub json: bool,
}

/// `usher cluster add`.
pub async fn add(args: Add) -> Result<ExitCode, CliError> {
    let request = AddRequest {
        id: args.id,
        peer: args.peer,
        zone: args.zone,
    };
    let body = serde_json::to_string(&request).expect("a request is plain data");
    post("/admin/members", &body, false, args.how).await
}

/// `usher cluster drain`.
pub async fn drain(args: Node) -> Result<ExitCode, CliError> {
    let path = format!("/admin/members/{}/drain", args.id);
    post(&path, "{}", args.anyway, args.how).await
}

/// `usher cluster undrain`.
pub async fn undrain(args: Node) -> Result<ExitCode, CliError> {
    let path = format!("/admin/members/{}/undrain", args.id);
    post(&path, "{}", args.anyway, args.how).await
}

/// `usher cluster remove`.
pub async fn remove(args: Node) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.how.admin)?;
    let path = format!("/admin/members/{}", args.id);
    let answer = client
        .delete(&with_how(&path, args.anyway, &args.how))
        .await?;
    tell(&client, &answer, Some(args.id), &args.how).await
}

/// `usher cluster replace`.
pub async fn replace(args: Replace) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.how.admin)?;
    let members = ask(&client).await?;
    let heir = members.nodes.iter().find(|node| node.id == args.with);
    let Some(heir) = heir.filter(|heir| heir.state == "member") else {
        return Err(CliError::Refused {
            node: args.how.admin,
            reason: format!(
                "node {} has not joined; start it with `usher start --join` and look at `usher \
                 cluster members`",
                args.with
            ),
        });
    };
    if heir.votes > 0 && args.id != args.with {
        return Err(CliError::Refused {
            node: args.how.admin,
            reason: format!(
                "node {} votes already and cannot take another place; use `usher cluster remove {}`",
                args.with, args.id
            ),
        });
    }
    let node = Node {
        id: args.id,
        anyway: args.anyway,
        how: args.how,
    };
    remove(node).await
}

/// `usher cluster rebalance`.
pub async fn rebalance(args: Rebalance) -> Result<ExitCode, CliError> {
    let request = RebalanceRequest {
        replicas: args.replicas,
    };
    let body = serde_json::to_string(&request).expect("a request is plain data");
    post("/admin/rebalance", &body, false, args.how).await
}

/// `usher cluster move-leader`.
pub async fn move_leader(args: MoveLeader) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.admin)?;
    let body = json!({ "group": args.group, "to": args.to }).to_string();
    let path = match args.dry_run {
        true => "/admin/move-leader?dry_run=true",
        false => "/admin/move-leader",
    };
    let answer = client.post(path, &body).await?;
    match (args.json, args.dry_run) {
        (true, _) => say(&answer),
        (false, true) => say(&format!("node {} could lead group {}", args.to, args.group)),
        (false, false) => say(&format!(
            "node {} was asked to lead group {}",
            args.to, args.group
        )),
    }
    Ok(ExitCode::SUCCESS)
}

async fn post(path: &str, body: &str, anyway: bool, how: How) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&how.admin)?;
    let answer = client.post(&with_how(path, anyway, &how), body).await?;
    tell(&client, &answer, None, &how).await
}

fn with_how(path: &str, anyway: bool, how: &How) -> String {
    format!("{path}?dry_run={}&anyway={anyway}", how.dry_run)
}

/// Prints what comes of a change, and waits for it if that was asked.
async fn tell(
    client: &AdminClient,
    answer: &str,
    removed: Option<u64>,
    how: &How,
) -> Result<ExitCode, CliError> {
    let change: ChangeView = client.read(answer)?;
    if how.json {
        say(answer);
    } else {
        match (change.done, change.steps.len()) {
            (_, 0) => say("nothing has to be moved"),
            (true, steps) => say(&format!("{steps} steps:")),
            (false, steps) => say(&format!("{steps} steps would be taken:")),
        }
        to_do(&change.steps);
        for blocked in &change.blocked {
            say(&format!("  waits: {}; {}", blocked.reason, blocked.remedy));
        }
    }
    if how.wait {
        until_settled(client, Duration::from_secs(how.timeout), removed, how.json).await?;
        if !how.json {
            say("done");
        }
    }
    Ok(ExitCode::SUCCESS)
}
