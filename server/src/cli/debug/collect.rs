//! What is asked of each node, and what comes of it.

use serde_json::Value;

use crate::cli::CliError;
use crate::cli::admin_client::AdminClient;
use crate::node::admin::debug::{FactsView, without_credentials};
use crate::node::admin::{MembersView, StatusView, TrailView};

/// Records of the trail that are taken, the last ones.
const RECORDS: u64 = 500;

/// What is asked as it is: file, path, what it is.
const ASKED: [(&str, &str, &str); 5] = [
    (
        "members.json",
        "/admin/members",
        "members, votes, what is to be done and what waits",
    ),
    (
        "version.json",
        "/admin/version",
        "the release of every node, the cluster's version",
    ),
    (
        "digests.json",
        "/admin/digests",
        "digests of the replicas' states",
    ),
    ("metrics.txt", "/metrics", "all counters"),
    (
        "log.txt",
        "/admin/debug/log",
        "the last lines of its log, from INFO on",
    ),
];

/// What stands in each node's directory, beside [`ASKED`].
const OTHERS: [(&str, &str); 5] = [
    ("status.json", "its groups, disk, clocks, warnings"),
    (
        "trail.json",
        "the last things that operators and organizers changed",
    ),
    ("settings.toml", "its settings without secrets"),
    (
        "process.json",
        "uptime, threads, memory, open files; the machine",
    ),
    (
        "files.txt",
        "the files of its data directory, with their sizes",
    ),
];

/// One node, as it was found.
pub(super) struct Collected {
    /// How it was asked for.
    pub(super) address: String,
    /// Its id, if it answered.
    pub(super) node: Option<u64>,
    /// File names and contents.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// What could not be had, and why.
    pub(super) missing: Vec<String>,
    /// The ids of all members, as it sees them.
    pub(super) members: Vec<u64>,
}

/// Every file there may be, and what it is.
pub(super) fn contents() -> impl Iterator<Item = (&'static str, &'static str)> {
    let asked = ASKED.iter().map(|(file, _, what)| (*file, *what));
    OTHERS.into_iter().chain(asked)
}

/// Asks one node for everything.
pub(super) async fn collect(client: &AdminClient) -> Collected {
    let mut all = Collected {
        address: client.name().to_owned(),
        node: None,
        files: Vec::new(),
        missing: Vec::new(),
        members: Vec::new(),
    };
    let status: StatusView = match client.get_json("/admin/status").await {
        Ok(status) => status,
        Err(error) => {
            all.missing.push(format!("everything: {error}"));
            return all;
        }
    };
    all.node = Some(status.node_id);
    all.keep_json("status.json", &status);
    for (file, path, _) in ASKED {
        match body(client, path).await {
            Ok(bytes) => all.keep(file, &pretty(file, bytes)),
            Err(error) => all.missing.push(format!("{file}: {error}")),
        }
    }
    let members: Result<MembersView, _> = client.get_json("/admin/members").await;
    if let Ok(members) = members {
        all.members = members.nodes.iter().map(|node| node.id).collect();
    }
    match trail(client).await {
        Ok(trail) => all.keep_json("trail.json", &trail),
        Err(error) => all.missing.push(format!("trail.json: {error}")),
    }
    let facts: Result<FactsView, _> = client.get_json("/admin/debug/facts").await;
    match facts {
        Ok(facts) => all.keep_facts(facts),
        Err(error) => {
            let files = "settings.toml, process.json, files.txt";
            all.missing.push(format!("{files}: {error}"));
        }
    }
    all
}

impl Collected {
    /// Whoever called a request by their key has it in the log and the trail.
    fn keep(&mut self, file: &str, bytes: &[u8]) {
        let text = without_credentials(&String::from_utf8_lossy(bytes));
        self.files.push((file.to_owned(), text.into_bytes()));
    }

    fn keep_json(&mut self, file: &str, view: &impl serde::Serialize) {
        let text = serde_json::to_vec_pretty(view).expect("plain data under plain keys");
        self.keep(file, &text);
    }

    fn keep_facts(&mut self, facts: FactsView) {
        self.keep_json("process.json", &facts.process);
        self.keep("settings.toml", facts.settings.as_bytes());
        let listed = &facts.files;
        let mut text = format!("{:>14}  in all\n", listed.bytes);
        for file in &listed.files {
            text.push_str(&format!("{:>14}  {}\n", file.bytes, file.path));
        }
        if listed.more > 0 {
            text.push_str(&format!("and {} more\n", listed.more));
        }
        for problem in &listed.problems {
            text.push_str(&format!("not read: {problem}\n"));
        }
        self.keep("files.txt", text.as_bytes());
    }
}

async fn body(client: &AdminClient, path: &str) -> Result<Vec<u8>, CliError> {
    let (status, body) = client.get_bytes(path).await?;
    match status {
        200 => Ok(body),
        status => Err(CliError::Unexpected {
            node: client.name().to_owned(),
            answer: format!("{status} {}", String::from_utf8_lossy(&body)),
        }),
    }
}

/// JSON for people; everything else, and what is no JSON after all, as it came.
fn pretty(file: &str, bytes: Vec<u8>) -> Vec<u8> {
    if !file.ends_with(".json") {
        return bytes;
    }
    let value: Option<Value> = serde_json::from_slice(&bytes).ok();
    let text = value.and_then(|value| serde_json::to_vec_pretty(&value).ok());
    text.unwrap_or(bytes)
}

async fn trail(client: &AdminClient) -> Result<TrailView, CliError> {
    // Nothing is that new; but it tells where the trail ends.
    let end: TrailView = client
        .get_json(&format!("/admin/trail?from={}", u64::MAX))
        .await?;
    let from = end.next.saturating_sub(RECORDS);
    client.get_json(&format!("/admin/trail?from={from}")).await
}
