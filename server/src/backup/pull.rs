//! Asks nodes for what a backup is made of, in pieces, with a deadline each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use raft_node::backup::LogEntry;

use super::BackupError;
use super::log_file::Writer;
use crate::cli::CliError;
use crate::cli::admin_client::AdminClient;
use crate::node::backup::{BaseView, MarksView};

/// The nodes that are asked, and who is asked for which group.
pub(super) struct Source {
    nodes: Vec<AdminClient>,
}

/// How far every group is, by its leader's word, and which node to ask for it.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// Of the first node that answered.
    pub(super) view: MarksView,
    /// Group to (index, place of the node in the list).
    pub(super) groups: BTreeMap<u32, (u64, usize)>,
}

/// What came of asking for entries.
enum Entries {
    Some(Vec<LogEntry>),
    /// The log no longer goes back so far.
    Gone,
}

impl Source {
    pub(super) fn new(addresses: &[String]) -> Result<Self, BackupError> {
        let nodes = addresses.iter().map(|address| AdminClient::new(address));
        Ok(Self {
            nodes: nodes.collect::<Result<_, _>>()?,
        })
    }

    /// Asks how far every group is. Whatever was acknowledged before is within the answer.
    pub(super) async fn marks(&self) -> Result<Marks, BackupError> {
        let (mut first, mut groups): (Option<MarksView>, BTreeMap<u32, (u64, usize)>) =
            (None, BTreeMap::new());
        let mut why = None;
        for (place, node) in self.nodes.iter().enumerate() {
            let view: MarksView = match node.get_json("/admin/backup/marks").await {
                Ok(view) => view,
                Err(error) => {
                    why = Some(error);
                    continue;
                }
            };
            for mark in &view.groups {
                groups.entry(mark.group).or_insert((mark.index, place));
            }
            if let Some(first) = &first
                && first.cluster_id != view.cluster_id
            {
                return Err(BackupError::Invalid(format!(
                    "these nodes belong to different clusters: {} and {}",
                    first.cluster_id, view.cluster_id
                )));
            }
            let view = first.get_or_insert(view);
            let all = (0..=u32::from(view.shards)).all(|group| groups.contains_key(&group));
            if view.shards > 0 && all {
                break;
            }
        }
        let Some(view) = first else {
            return Err(match why {
                Some(error) => error.into(),
                None => BackupError::Invalid("no node was named (--admin)".to_owned()),
            });
        };
        if view.shards == 0 {
            let why = "the cluster was not initialized: there is nothing to back up (usher init)";
            return Err(BackupError::Cluster(why.to_owned()));
        }
        if let Some(missing) = (0..=u32::from(view.shards)).find(|g| !groups.contains_key(g)) {
            return Err(BackupError::Cluster(format!(
                "none of the nodes asked has a replica of group {missing}: name more of them (--admin)"
            )));
        }
        Ok(Marks { view, groups })
    }

    /// Has a group's newest snapshot held open, and says how far it goes.
    pub(super) async fn base(&self, place: usize, group: u32) -> Result<BaseView, BackupError> {
        let path = format!("/admin/backup/base?group={group}");
        Ok(self.nodes[place].get_json(&path).await?)
    }

    /// Writes the snapshot that is held open; `false`: it no longer is, its node was restarted.
    pub(super) async fn snapshot(
        &self,
        place: usize,
        group: u32,
        base: BaseView,
        into: &Path,
    ) -> Result<bool, BackupError> {
        let mut file = File::create_new(into).map_err(BackupError::file(into))?;
        let mut offset = 0;
        while offset < base.bytes {
            let path = format!(
                "/admin/backup/base/piece?group={group}&next={}&offset={offset}",
                base.next
            );
            let Some(piece) = bytes(&self.nodes[place], &path).await? else {
                return Ok(false);
            };
            if piece.is_empty() {
                return Ok(false);
            }
            file.write_all(&piece).map_err(BackupError::file(into))?;
            offset += piece.len() as u64;
        }
        file.sync_all().map_err(BackupError::file(into))?;
        Ok(true)
    }

    /// Writes a group's log from `from` to `upto`. `None`: it does not go back so far any more.
    pub(super) async fn log(
        &self,
        place: usize,
        group: u32,
        from: u64,
        upto: u64,
        log: &Path,
    ) -> Result<Option<Writer>, BackupError> {
        let mut log = Writer::create(log, from)?;
        while log.next() <= upto {
            if !self.more(&self.nodes[place], group, upto, &mut log).await? {
                return Ok(None);
            }
        }
        Ok(Some(log))
    }

    /// Adds the entries that one question brings; `false`: the log does not go back so far.
    async fn more(
        &self,
        node: &AdminClient,
        group: u32,
        upto: u64,
        log: &mut Writer,
    ) -> Result<bool, BackupError> {
        let asked = tokio::time::Instant::now();
        loop {
            match self.ask(node, group, log.next(), upto).await? {
                Entries::Gone => return Ok(false),
                Entries::Some(entries) if entries.is_empty() => {
                    // This replica has not applied so far: it lags behind its leader.
                    if asked.elapsed() > LAGS_AT_MOST {
                        return Err(BackupError::Cluster(format!(
                            "{}: its replica of group {group} does not get to entry {upto}; ask another node (--admin)",
                            node.name()
                        )));
                    }
                    tokio::time::sleep(LAG_PAUSE).await;
                }
                Entries::Some(entries) => {
                    for entry in &entries {
                        if entry.at.index != log.next() {
                            return Err(BackupError::Cluster(format!(
                                "{}: entry {} of group {group} came where {} should",
                                node.name(),
                                entry.at.index,
                                log.next()
                            )));
                        }
                        log.add(entry)?;
                    }
                    return Ok(true);
                }
            }
        }
    }

    async fn ask(
        &self,
        node: &AdminClient,
        group: u32,
        from: u64,
        upto: u64,
    ) -> Result<Entries, BackupError> {
        let path = format!("/admin/backup/log?group={group}&from={from}&upto={upto}");
        let Some(answer) = bytes(node, &path).await? else {
            return Ok(Entries::Gone);
        };
        let (mut rest, mut entries) = (&answer[..], Vec::new());
        loop {
            match LogEntry::read(&mut rest) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => return Ok(Entries::Some(entries)),
                Err(error) => {
                    let what = format!("{}: {path}: {error}", node.name());
                    return Err(BackupError::Cluster(what));
                }
            }
        }
    }
}

const LAGS_AT_MOST: std::time::Duration = std::time::Duration::from_secs(20);
const LAG_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// The answer's body; `None` when what was asked for is gone.
async fn bytes(node: &AdminClient, path: &str) -> Result<Option<Vec<u8>>, BackupError> {
    let (status, body) = node.get_bytes(path).await?;
    match status {
        200 => Ok(Some(body)),
        410 => Ok(None),
        _ => Err(BackupError::Node(CliError::Unexpected {
            node: node.name().to_owned(),
            answer: format!("{status} {}", String::from_utf8_lossy(&body)),
        })),
    }
}
