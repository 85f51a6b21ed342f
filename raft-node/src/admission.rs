//! A node with an empty directory, and whether it may speak at all.
//!
//! It is new, or it was wiped. One that was wiped and is a voter would vote twice in a term, and call
//! entries lost that it had acknowledged; its leader, finding them gone, would stop. On its own disk
//! nothing tells the two apart, so it asks, and until it knows it takes part in nothing:
//!
//! ```text
//!  empty ──► asks its peers ──► somebody says: you vote here ──► ends, by name: it was wiped
//!              │                somebody says: you do not     ──► admitted: it may join
//!              └──── the operator founds the cluster (usher init) ──► admitted: it is one of the first
//! ```
//! A cluster is founded when a majority of its first members is there. Whoever founds it remembers who
//! was not, goes on telling them, and tells nobody until then that they vote.
//!
//! To be admitted is written down before it is acted on: a crash in the first moment must
//! not make a wiped node of a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use prost::Message;

use crate::client::Client;
use crate::error::InitializeError;
use crate::group::Group;
use crate::node::Failure;
use crate::platform::Disk;
use crate::storage::write_mark;
use crate::transport::link::CallError;
use crate::transport::peer;
use crate::transport::wire::{Kind, Refused, UNKNOWN_KIND};
use crate::watch;

/// Between two rounds of questions.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// So often running it has to be heard that this node votes, with nobody to say that it is expected:
/// who founded the cluster may be the slowest to answer.
const SAID_MIN: u32 = 4;
/// How long a peer may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long whoever founds a cluster waits for all of its members to be there.
const FOUND_WITHIN: Duration = Duration::from_secs(4);
/// In the note: who is expected.
const ABSENT: &str = "absent ";

/// What a node says of the part that another one plays. Sent as a number: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Part {
    /// It belongs to no cluster itself, or is of an older release.
    Unknown = 0,
    /// It does not vote.
    None = 1,
    /// It votes.
    Voter = 2,
    /// It will vote, and was away when the cluster was founded.
    Expected = 3,
}

impl Part {
    /// The part of `node`, as these replicas know it. One that hears of no leader may have missed
    /// much, and does not say that somebody has none.
    pub(crate) fn of(node: u64, groups: &BTreeMap<u32, Arc<Group>>, admission: &Admission) -> Self {
        if admission.absent().contains(&node) {
            return Self::Expected;
        }
        let mut all = groups.values();
        if all.any(|group| group.raft.voter_ids().any(|voter| voter == node)) {
            return Self::Voter;
        }
        let led = |group: &Arc<Group>| group.leader.borrow().node.is_some();
        match groups.values().all(led) {
            true => Self::None,
            false => Self::Unknown,
        }
    }
}

/// Whether this node may speak.
pub(crate) struct Admission {
    admitted: watch::Sender<bool>,
    /// First members that were not there when this node founded the cluster.
    absent: Mutex<BTreeSet<u64>>,
    /// One at a time writes it down.
    noting: futures::lock::Mutex<()>,
}

impl Admission {
    /// What a directory says: `mark` is what was noted in it, if anything was.
    pub(crate) fn new(blank: bool, mark: Option<&str>) -> Self {
        let absent = mark.unwrap_or_default().lines();
        let absent = absent.filter_map(|line| line.strip_prefix(ABSENT)?.parse().ok());
        Self {
            admitted: watch::channel(!blank).0,
            absent: Mutex::new(absent.collect()),
            noting: futures::lock::Mutex::new(()),
        }
    }

    /// Whether it may.
    pub(crate) fn is_admitted(&self) -> bool {
        *self.admitted.borrow()
    }

    /// Who is still expected.
    fn absent(&self) -> BTreeSet<u64> {
        self.absent
            .lock()
            .expect("nothing panics with this lock")
            .clone()
    }

    /// From now on it may, also after a crash.
    pub(crate) async fn admit(&self, disk: &dyn Disk) -> Result<(), String> {
        match self.is_admitted() {
            true => Ok(()),
            false => self.note(disk, self.absent()).await,
        }
    }

    /// Writes down that this node may speak, and who is expected.
    async fn note(&self, disk: &dyn Disk, absent: BTreeSet<u64>) -> Result<(), String> {
        let _one_at_a_time = self.noting.lock().await;
        let lines = absent.iter().map(|node| format!("{ABSENT}{node}\n"));
        let text = std::iter::once("admitted\n".to_owned()).chain(lines);
        let written = write_mark(disk, text.collect()).await;
        written.map_err(|error| error.to_string())?;
        *self.absent.lock().expect("nothing panics with this lock") = absent;
        self.admitted
            .publish_if(|admitted| !std::mem::replace(admitted, true));
        Ok(())
    }
}

/// Asks until it is known whether this node may speak.
pub(crate) async fn keep(client: Client, failed: watch::Sender<Option<Failure>>) {
    let admission = &client.shared.admission;
    let me = client.shared.config.node_id;
    let (mut told, mut said) = (false, 0);
    while !admission.is_admitted() {
        let parts = ask(&client).await;
        let expected = parts.values().any(|part| *part == Part::Expected);
        let voter = parts.iter().find(|(_, part)| **part == Part::Voter);
        said = match voter.is_some() && !expected {
            true => said + 1,
            false => 0,
        };
        // Whoever founded the cluster meanwhile has made this node a voter, and admitted it.
        if let Some((peer, _)) = voter
            && said >= SAID_MIN
            && !admission.is_admitted()
        {
            let reason = format!(
                "the data directory is empty, and node {peer} says that node {me} votes in this cluster: its data is \
                 lost. It must not vote again under its id, having forgotten what it voted for. On another node run \
                 `usher cluster remove {me} --wait`; then give this one a new node_id and `usher start --join`"
            );
            tracing::error!(reason, "this node should exit");
            failed.publish(Some(Failure {
                group: None,
                reason,
                stuck: false,
            }));
            return;
        }
        let new = parts.values().any(|part| *part == Part::None);
        if (new && !expected) || peers(&client).is_empty() {
            match admission.admit(&*client.shared.platform.disk).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(error, "cannot note that this node is new"),
            }
        } else if !told {
            told = true;
            tracing::info!(
                "an empty directory: takes part in nothing before `usher init`, or before its peers answer"
            );
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    remind(&client).await;
}

/// Tells those who were away when this node founded the cluster, until the last one has heard it.
async fn remind(client: &Client) {
    let admission = &client.shared.admission;
    loop {
        let absent = admission.absent();
        if absent.is_empty() {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
        let left = without_those_who_hear(client, absent.clone()).await;
        if left != absent
            && let Err(error) = admission.note(&*client.shared.platform.disk, left).await
        {
            tracing::warn!(error, "cannot note who is still expected");
        }
    }
}

/// Asks everybody to note that they are first members; those who did not answer.
async fn without_those_who_hear(client: &Client, nodes: BTreeSet<u64>) -> BTreeSet<u64> {
    let asked = nodes.iter().map(|node| call(client, *node, Kind::Found));
    let answers = join_all(asked).await;
    let left = nodes.iter().zip(answers);
    left.filter(|(_, answer)| !matches!(answer, Some(Ok(_))))
        .map(|(node, _)| *node)
        .collect()
}

/// What each configured peer says that answers.
async fn ask(client: &Client) -> BTreeMap<u64, Part> {
    let asked = peers(client).into_iter().map(|node| async move {
        let part = match call(client, node, Kind::Vitals).await? {
            Ok(bytes) => match peer::Vitals::decode(bytes).ok()?.part {
                3 => Part::Expected,
                2 => Part::Voter,
                1 => Part::None,
                _ => Part::Unknown,
            },
            // Of a release that could not tell. Nobody may be kept from joining it for that.
            Err(refused) if refused.text == UNKNOWN_KIND => Part::None,
            Err(_) => Part::Unknown,
        };
        Some((node, part))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// Before a cluster is founded: a majority of its members has to be there, and notes that it is. Who
/// is not there is noted here before anything is told to anybody.
pub(crate) async fn found(client: &Client) -> Result<(), InitializeError> {
    let until = client.now() + FOUND_WITHIN;
    let all = client.shared.config.peers.len();
    let mut missing: BTreeSet<u64> = peers(client).into_iter().collect();
    loop {
        missing = without_those_who_hear(client, missing).await;
        if missing.is_empty() || client.now() >= until {
            break;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    if 2 * missing.len() >= all {
        let nodes = missing.into_iter().collect();
        return Err(InitializeError::Absent { nodes });
    }
    let noted = client
        .shared
        .admission
        .note(&*client.shared.platform.disk, missing);
    noted
        .await
        .map_err(|reason| InitializeError::Group { group: 0, reason })
}

/// Asks a node, in whichever group; nothing when it does not answer.
async fn call(client: &Client, node: u64, kind: Kind) -> Option<Result<Bytes, Refused>> {
    let group = client.shared.config.groups.first().copied()?;
    let link = client.shared.links.get(node)?;
    match link.call(group, kind, Bytes::new(), ANSWER_WITHIN).await {
        Ok(answer) => Some(Ok(answer)),
        Err(CallError::Refused(refused)) => Some(Err(refused)),
        Err(_) => None,
    }
}

fn peers(client: &Client) -> Vec<u64> {
    let config = &client.shared.config;
    let others = config.peers.keys().filter(|node| **node != config.node_id);
    others.copied().collect()
}
