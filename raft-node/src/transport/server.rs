//! The answering end: takes frames from every peer, refuses what does not belong here, hands the
//! rest to its group, and answers on the same link.
//!
//! One task a link owns all requests under way on it; appends of a group are handed over in the
//! order in which they came. Proposals are queued and answered from the task that applies them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use probes::Bug;
use prost::Message;
use tonic::{Request, Response, Status, Streaming};
use trace::Trace;

use super::lane::{Answers, Lane};
use super::peer::peer_server::Peer;
use super::peer::{Committed, Frame, Frames, SnapshotPiece, SnapshotReply, Vitals};
use super::traffic::Traffic;
use super::wire::{self, ANSWER, Kind, REFUSED, Reason, Refused, Unreadable};
use super::{snapshot, sockets};
use crate::admission::{Admission, Part};
use crate::config::NodeConfig;
use crate::error::ProposeError;
use crate::follow::Followed;
use crate::group::Group;
use crate::health::Health;
use crate::membership;
use crate::platform::tls::Caller;
use crate::platform::{Clock, Disk};
use crate::propose::{self, NotCommitted, ReplyTo};
use crate::tasks::Task;

/// Requests under way on one link, at most; past it the link is read no further.
const UNDER_WAY_MAX: usize = 1_024;

/// What the service of a node needs.
pub(crate) struct Served {
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) groups: BTreeMap<u32, Arc<Group>>,
    pub(crate) links: Connections,
    pub(crate) health: Arc<Health>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) traffic: Arc<Traffic>,
}

/// The tasks of accepted links.
#[derive(Default)]
pub(crate) struct Connections {
    tasks: Mutex<(u64, BTreeMap<u64, Task>)>,
}

impl Connections {
    fn start(self_of: &Arc<Served>, run: impl FnOnce(u64) -> BoxFuture<'static, ()>) {
        let mut tasks = self_of.links.tasks.lock().expect(POISONED);
        tasks.0 += 1;
        let number = tasks.0;
        tasks.1.insert(number, Task::spawn(run(number)));
    }

    fn ended(&self, number: u64) {
        let ended = self.tasks.lock().expect(POISONED).1.remove(&number);
        drop(ended);
    }

    /// Hangs up on everybody.
    pub(crate) fn close(&self) {
        let all = std::mem::take(&mut self.tasks.lock().expect(POISONED).1);
        drop(all);
    }
}

const POISONED: &str = "nothing panics with this lock";

/// Serves peers until told to stop, and then until their links are closed.
pub(crate) async fn listen(
    served: Arc<Served>,
    told: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let config = served.config.clone();
    sockets::serve(PeerService { served }, &config, told).await
}

pub(crate) struct PeerService {
    served: Arc<Served>,
}

impl PeerService {
    /// Who asks. Where certificates are asked for, nobody gets here without one; should it happen
    /// all the same, they are refused.
    fn caller<T>(&self, request: &Request<T>) -> Result<Option<Caller>, Status> {
        let caller = sockets::caller(request);
        if caller.is_none() && self.served.config.tls.is_some() {
            return Err(Status::unauthenticated("no certificate was shown"));
        }
        Ok(caller)
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    type LinkStream = Pin<Box<dyn futures::Stream<Item = Result<Frames, Status>> + Send>>;

    async fn link(
        &self,
        request: Request<Streaming<Frames>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let config = &self.served.config;
        let (lane, drain) = Lane::new(
            config.node_id,
            config.link_frames_max,
            config.faults.clone(),
            &self.served.traffic,
        );
        let served = self.served.clone();
        let caller = self.caller(&request)?;
        let inbound = request.into_inner();
        Connections::start(&self.served, |number| {
            Box::pin(async move {
                answer_link(&served, caller, inbound, lane).await;
                served.links.ended(number);
            })
        });
        Ok(Response::new(Box::pin(Answers(drain))))
    }

    async fn send_snapshot(
        &self,
        request: Request<Streaming<SnapshotPiece>>,
    ) -> Result<Response<SnapshotReply>, Status> {
        let caller = self.caller(&request)?;
        snapshot::receive(&self.served, caller, request.into_inner())
            .await
            .map(Response::new)
    }
}

async fn answer_link(
    served: &Served,
    caller: Option<Caller>,
    mut inbound: Streaming<Frames>,
    lane: Lane,
) {
    let mut proven = Proven::new(caller);
    let mut under_way: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = under_way.next(), if !under_way.is_empty() => {}
            message = inbound.message(), if under_way.len() < UNDER_WAY_MAX => match message {
                Ok(Some(message)) => {
                    for frame in message.frames {
                        if !proven.is(served.config.cluster_id, frame.from) {
                            let from = frame.from;
                            tracing::warn!(from, "hung up: a frame in the name of another node");
                            return;
                        }
                        if let Some(work) = dispatch(served, frame, &lane) {
                            under_way.push(work);
                        }
                    }
                }
                Ok(None) | Err(_) => return,
            },
        }
    }
}

/// In whose name a link may speak.
struct Proven {
    caller: Option<Caller>,
    node: Option<u64>,
}

impl Proven {
    fn new(caller: Option<Caller>) -> Self {
        Self { caller, node: None }
    }

    /// Whether the caller's certificate is this node's; anybody's word where nobody has one.
    fn is(&mut self, cluster: u128, node: u64) -> bool {
        let Some(caller) = &self.caller else {
            return true;
        };
        if self.node.is_none() && caller.is_node(cluster, node) {
            self.node = Some(node);
        }
        self.node == Some(node)
    }
}

/// Answers a frame, or returns the work that will.
fn dispatch(served: &Served, frame: Frame, lane: &Lane) -> Option<BoxFuture<'static, ()>> {
    let answerer = Answerer {
        lane: lane.clone(),
        me: served.config.node_id,
        peer: frame.from,
        group: frame.group,
        request: frame.request,
        kind: frame.kind,
        epoch: frame.epoch,
        cluster_high: frame.cluster_high,
        cluster_low: frame.cluster_low,
    };
    let (group, kind) = match admit(served, &frame) {
        Ok(admitted) => admitted,
        Err(refused) => {
            answerer.refuse(&refused);
            return None;
        }
    };
    if kind == Kind::Vitals {
        // Who asks sends nothing; who has something to tell sends its own.
        if let Ok(told) = Vitals::decode(frame.payload)
            && told.leaving
        {
            served.health.told(frame.from, &told);
        }
        let part = Part::of(frame.from, &served.groups, &served.admission);
        answerer.accept(wire::encode(&served.health.vitals(part)));
        return None;
    }
    if kind == Kind::Found {
        let (admission, disk) = (served.admission.clone(), served.disk.clone());
        return Some(Box::pin(async move {
            match admission.admit(&*disk).await {
                Ok(()) => answerer.accept(Bytes::new()),
                Err(error) => answerer.refuse(&Refused::new(Reason::Stopped).with_text(error)),
            }
        }));
    }
    let deadline = Duration::from_millis(u64::from(frame.deadline_ms));
    if kind == Kind::Propose {
        let until = served.clock.monotonic() + deadline;
        let cause = Trace::decode(&frame.trace);
        let followed = Followed::begin(cause, served.config.node_id, &served.clock);
        let reply = ReplyTo::Remote(answerer, followed);
        group.proposer.submit(frame.payload, until, reply);
        return None;
    }
    let group = group.clone();
    Some(Box::pin(async move {
        let work = serve(&group, kind, frame.payload);
        match tokio::time::timeout(deadline, work).await {
            Ok(Ok(payload)) => answerer.accept(payload),
            Ok(Err(refused)) => answerer.refuse(&refused),
            Err(_) => {} // Whoever asked has stopped waiting, too.
        }
    }))
}

fn admit<'a>(served: &'a Served, frame: &Frame) -> Result<(&'a Arc<Group>, Kind), Refused> {
    let cluster = u128::from(frame.cluster_high) << 64 | u128::from(frame.cluster_low);
    if cluster != served.config.cluster_id {
        return Err(Refused::new(Reason::Foreign).with_text(membership::ANOTHER_CLUSTER));
    }
    // Addresses are given again, ids are not: a vote for a node that left must not be taken from the one
    // that lives there now.
    if frame.to != 0 && frame.to != served.config.node_id {
        let text = format!("node {} is not here", frame.to);
        return Err(Refused::new(Reason::Foreign).with_text(text));
    }
    let astray = probes::planted(Bug::FrameForOtherGroup) && probes::chance(200) == 0;
    let group = served
        .groups
        .get(&if astray { frame.group ^ 1 } else { frame.group })
        .ok_or_else(|| Refused::new(Reason::Foreign).with_text("unknown group"))?;
    let kind = Kind::from_number(frame.kind)
        .ok_or_else(|| Refused::new(Reason::Foreign).with_text(wire::UNKNOWN_KIND))?;
    let speaks = matches!(
        kind,
        Kind::Append | Kind::Vote | Kind::PreVote | Kind::TransferLeader
    );
    if speaks && !served.admission.is_admitted() {
        let text = "its directory is empty, and it does not know yet whether it was wiped";
        return Err(Refused::new(Reason::Stopped).with_text(text));
    }
    Ok((group, kind))
}

async fn serve(group: &Group, kind: Kind, payload: Bytes) -> Result<Bytes, Refused> {
    let raft = &group.raft;
    Ok(match kind {
        Kind::Append => {
            let request = wire::append_from_wire(payload)?;
            wire::append_reply_to_wire(&raft.append_entries(request).await.map_err(stopped)?)
        }
        Kind::Vote => {
            let request = wire::vote_request_from_wire(payload)?;
            wire::vote_reply_to_wire(&raft.vote(request).await.map_err(stopped)?)
        }
        Kind::PreVote => {
            let request = wire::vote_request_from_wire(payload)?;
            wire::vote_reply_to_wire(&raft.pre_vote(request).await.map_err(stopped)?)
        }
        Kind::TransferLeader => {
            let request = wire::transfer_from_wire(payload)?;
            let reply = raft
                .handle_transfer_leader(request)
                .await
                .map_err(stopped)?;
            wire::transfer_reply_to_wire(&reply)
        }
        Kind::ReadIndex => wire::encode(&super::peer::ReadIndexReply {
            index: group.read_index_here().await?,
        }),
        Kind::Freshness => group.standing_here()?.encode(),
        Kind::Admin => membership::serve(group, payload).await?,
        Kind::Propose | Kind::Vitals | Kind::Found => unreachable!("answered where they arrive"),
    })
}

fn stopped(error: impl std::fmt::Display) -> Refused {
    Refused::new(Reason::Stopped).with_text(error)
}

impl From<Unreadable> for Refused {
    fn from(error: Unreadable) -> Self {
        Self::new(Reason::Foreign).with_text(error)
    }
}

/// The way back to whoever asked.
pub(crate) struct Answerer {
    lane: Lane,
    me: u64,
    peer: u64,
    group: u32,
    request: u64,
    kind: u32,
    epoch: u64,
    cluster_high: u64,
    cluster_low: u64,
}

impl Answerer {
    fn send(&self, flags: u32, payload: Bytes) {
        let frame = Frame {
            cluster_high: self.cluster_high,
            cluster_low: self.cluster_low,
            group: self.group,
            epoch: self.epoch,
            request: self.request,
            kind: self.kind | flags,
            deadline_ms: 0,
            payload,
            from: self.me,
            to: self.peer,
            trace: Bytes::new(),
        };
        // A lost answer is a time-out to whoever asked; a full lane is no different.
        let _ = self.lane.send(self.peer, frame);
    }

    fn accept(&self, payload: Bytes) {
        self.send(ANSWER, payload);
    }

    fn refuse(&self, refused: &Refused) {
        self.send(ANSWER | REFUSED, refused.encode());
    }

    /// Answers a forwarded proposal.
    pub(crate) fn committed(&self, answer: propose::Answer) {
        match answer {
            Ok(committed) => self.accept(wire::encode(&Committed {
                index: committed.index,
                term: committed.term,
                at_ms: committed.at_ms,
                outcome: committed.outcome,
            })),
            Err(NotCommitted::NotLeader(leader)) => {
                self.refuse(&Refused::new(Reason::NotLeader).with_leader(leader));
            }
            Err(NotCommitted::Error(error)) => self.refuse(&Refused::new(match error {
                ProposeError::NoLeader => Reason::NotLeader,
                ProposeError::Overloaded => Reason::Overloaded,
                ProposeError::Expired => Reason::Expired,
                ProposeError::OutcomeUnknown => Reason::OutcomeUnknown,
                ProposeError::TooLarge { .. } => Reason::TooLarge,
                ProposeError::Stopped => Reason::Stopped,
                ProposeError::NoRoom => Reason::NoRoom,
            })),
        }
    }
}

#[cfg(all(test, not(madsim)))]
mod tests {
    use super::*;
    use crate::platform::tls::node_name;

    #[test]
    fn a_link_speaks_in_the_name_of_the_node_that_its_certificate_names_and_of_no_other() {
        let names = vec![node_name(77, 2)];
        let certificate = rcgen::generate_simple_self_signed(names).unwrap().cert;
        let caller = Caller::new(certificate.der().clone());
        let mut proven = Proven::new(Some(caller.clone()));
        assert!(!proven.is(77, 3));
        assert!(!proven.is(78, 2), "of another cluster");
        assert!(proven.is(77, 2));
        assert!(!proven.is(77, 3), "also later");
        assert!(proven.is(77, 2));
        assert!(Proven::new(None).is(77, 3), "where nobody has certificates");
    }
}
