//! `usher cluster upgrade`: where a rolling upgrade stands, and its last step.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::cli::admin_client::AdminClient;
use crate::cli::{CliError, say};
use crate::node::version::Survey;

/// Shows which release each node runs, and raises the cluster's version once all support it.
///
/// Upgrade one node after the other: stop it, install the new release, start it, wait until
/// `usher cluster members` is settled. Until the version is raised each node can go back to the
/// release before; with --finish it is raised, words that only the new release knows are spoken
/// from then on, and no node goes back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Raises the version. Refused while a node does not support it, or does not answer.
    #[arg(long)]
    finish: bool,
    /// Only tells whether it could be raised.
    #[arg(long, requires = "finish")]
    dry_run: bool,
    /// Address of any node's admin listener.
    #[arg(long, default_value = "127.0.0.1:8091", value_name = "HOST:PORT")]
    admin: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let client = AdminClient::new(&args.admin)?;
    let seen: Survey = match (args.finish, args.dry_run) {
        (false, _) => client.get_json("/admin/version").await?,
        (true, true) => client.read(&client.post("/admin/version?dry_run=true", "").await?)?,
        (true, false) => client.read(&client.post("/admin/version", "").await?)?,
    };
    match args.json {
        true => say(&serde_json::to_string(&seen).expect("plain data under plain keys")),
        false => say(&table(&seen)),
    }
    let behind = seen.common > seen.version || !seen.missing.is_empty();
    Ok(match behind && !args.dry_run {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn table(seen: &Survey) -> String {
    let mut text = String::from("node  release      supports version\n");
    for node in &seen.nodes {
        let release = node.release.as_deref().unwrap_or("no answer");
        let _ = writeln!(text, "{:>4}  {release:<11}  {}", node.id, node.supports);
    }
    let _ = write!(text, "the cluster is at version {}", seen.version);
    for missing in &seen.missing {
        let _ = write!(text, "\n{missing}");
    }
    if seen.missing.is_empty() && seen.common > seen.version {
        let _ = write!(
            text,
            "\nevery node supports version {}: `usher cluster upgrade --finish` raises it, for good",
            seen.common
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::version::NodeRelease;

    #[test]
    fn the_table_says_what_is_missing_and_otherwise_what_to_do_next() {
        let node = |id, release: Option<&str>, supports| NodeRelease {
            id,
            release: release.map(str::to_owned),
            supports,
        };
        let mut seen = Survey {
            version: 1,
            common: 1,
            nodes: vec![node(1, Some("0.2.0"), 2), node(2, None, 0)],
            missing: vec!["node 2 does not answer".to_owned()],
        };
        let text = table(&seen);
        assert!(text.contains("\n   2  no answer    0\n"), "{text}");
        assert!(
            text.ends_with("version 1\nnode 2 does not answer"),
            "{text}"
        );
        (seen.common, seen.missing) = (2, Vec::new());
        assert!(table(&seen).contains("upgrade --finish"));
        seen.version = 2;
        assert!(table(&seen).ends_with("the cluster is at version 2"));
    }
}
