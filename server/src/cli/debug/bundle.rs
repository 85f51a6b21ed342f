//! `usher debug bundle`: one file with what nodes tell of themselves.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::archive::Archive;
use super::collect::{Collected, collect, contents};
use crate::cli::admin_client::AdminClient;
use crate::cli::{CliError, say};

/// Collects what nodes tell of themselves into one file, to be sent with a report of a problem.
///
/// Of every node that answers: status, members, releases, digests, counters, the last of the trail, its
/// settings without secrets, the last lines of its log, facts of its process, its files with their sizes.
/// README.txt in it says what is there, and what is not and why. No secret, no token and nothing about
/// buyers is in it; the names of your keys, nodes and events are.
///
/// Exit codes: 0 everything is in it; 1 something is missing (the file is written, and says what), or it
/// cannot be written; 2 the command line is wrong; 3 no node answered (and no file is left).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write (.tar.gz). Not over one that exists.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// `host:port` of the admin listeners of all nodes, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8091")]
    admin: Vec<String>,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let clients: Result<Vec<AdminClient>, _> = args
        .admin
        .iter()
        .map(|admin| AdminClient::new(admin))
        .collect();
    let clients = clients?;
    // Before anybody is asked: whoever has a problem is not to wait for another one.
    let file = create(&args.out)?;
    let all = futures::future::join_all(clients.iter().map(collect)).await;
    if all.iter().all(|node| node.node.is_none()) {
        drop(file);
        // It is empty, and ours.
        let _ = std::fs::remove_file(&args.out);
        let reasons: Vec<&str> = all
            .iter()
            .flat_map(|node| &node.missing)
            .map(|why| why.strip_prefix("everything: ").unwrap_or(why))
            .collect();
        return Err(CliError::Unreachable {
            node: args.admin.join(","),
            reason: format!("no node answered: {}", reasons.join("; ")),
        });
    }
    let at_s = now_s();
    let readme = readme(&all, at_s);
    pack(file, &all, &readme, at_s).map_err(|source| CliError::File {
        path: args.out.clone(),
        source,
    })?;
    let missing: Vec<String> = missing(&all);
    say(&format!("{} is written", args.out.display()));
    for line in &missing {
        say(&format!("  not in it: {line}"));
    }
    Ok(match missing.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Only its owner may read it: there is no secret in it, and it is nobody's business either.
fn create(path: &Path) -> Result<File, CliError> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|source| CliError::File {
        path: path.into(),
        source,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command line is no node: when its user looked"
)]
fn now_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

fn pack(file: File, all: &[Collected], readme: &str, at_s: u64) -> std::io::Result<()> {
    let mut archive = Archive::new(file, at_s);
    archive.add("usher-debug/README.txt", readme.as_bytes())?;
    let mut names = Vec::new();
    for node in all {
        let Some(id) = node.node else { continue };
        let name = directory(id, &mut names);
        for (file, bytes) in &node.files {
            archive.add(&format!("usher-debug/{name}/{file}"), bytes)?;
        }
    }
    let mut file = archive.finish()?;
    file.flush()?;
    file.sync_all()
}

/// Two addresses may lead to one node.
fn directory(id: u64, taken: &mut Vec<u64>) -> String {
    let before = taken.iter().filter(|known| **known == id).count();
    taken.push(id);
    match before {
        0 => format!("node-{id}"),
        more => format!("node-{id}-again-{more}"),
    }
}

/// What is not in it: what was asked for and not had, and whoever was not asked.
fn missing(all: &[Collected]) -> Vec<String> {
    let mut lines = Vec::new();
    for node in all {
        let who = match node.node {
            Some(id) => format!("node {id} at {}", node.address),
            None => node.address.clone(),
        };
        lines.extend(node.missing.iter().map(|why| format!("{who}: {why}")));
    }
    let answered: Vec<u64> = all.iter().filter_map(|node| node.node).collect();
    let mut members: Vec<u64> = all.iter().flat_map(|node| node.members.clone()).collect();
    members.sort_unstable();
    members.dedup();
    for id in members.iter().filter(|id| !answered.contains(id)) {
        lines.push(format!(
            "node {id}: none of the addresses led to it; add its admin listener to --admin"
        ));
    }
    lines
}

fn readme(all: &[Collected], at_s: u64) -> String {
    let mut text = String::from(
        "What Usher's nodes told of themselves, for whoever looks into a problem.\n\n",
    );
    let at = api::text::time(ledger::Timestamp(at_s * 1_000));
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "Collected at {at} by usher {}.",
        env!("CARGO_PKG_VERSION")
    );
    let asked: Vec<&str> = all.iter().map(|node| &*node.address).collect();
    let _ = writeln!(
        text,
        "Asked: {}.\n\nIn node-N/, of each node that answered:\n",
        asked.join(", ")
    );
    for (file, what) in contents() {
        let _ = writeln!(text, "  {file:<14} {what}");
    }
    text.push_str("\nNOT in it:\n\n");
    for line in missing(all) {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str(
        "  secrets, tokens, keys: settings that are secrets are not shown, and what looks like one was taken out\n  \
         anything about buyers and payments beyond counts; of orders only the ids of refunded ones (trail.json)\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str, node: Option<u64>, missing: &[&str], members: &[u64]) -> Collected {
        Collected {
            address: address.to_owned(),
            node,
            files: Vec::new(),
            missing: missing.iter().map(ToString::to_string).collect(),
            members: members.to_vec(),
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_reason_and_what_helps() {
        let all = [
            node("a:1", Some(1), &["log.txt: 404"], &[1, 2, 3]),
            node("b:1", None, &["everything: b:1: refused"], &[]),
        ];
        let told = missing(&all);
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0], "node 1 at a:1: log.txt: 404");
        assert!(told[1].starts_with("b:1: everything"));
        assert!(told[2].starts_with("node 2:") && told[3].contains("--admin"));
        let readme = readme(&all, 1_700_000_000);
        assert!(
            readme.contains("2023-11-14T22:13:20") && readme.contains(&told[3]),
            "{readme}"
        );
        assert!(missing(&[node("a:1", Some(1), &[], &[1])]).is_empty());
    }

    #[test]
    fn one_node_under_two_addresses_has_two_directories() {
        let mut taken = Vec::new();
        assert_eq!(directory(1, &mut taken), "node-1");
        assert_eq!(directory(2, &mut taken), "node-2");
        assert_eq!(directory(1, &mut taken), "node-1-again-1");
    }
}
