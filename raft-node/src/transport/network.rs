//! openraft's view of the links: one client per group and peer, all over the same link.
//!
//! Appends are pipelined: up to [`PIPELINE`] are under way, their answers taken in order. An
//! append that is too large for one message goes out as several, which the follower sees as a
//! run of ordinary ones.
//!
//! When an append overtakes the one before it, the follower finds a gap and says "conflict",
//! although it will have what it misses a moment later. To openraft a conflict at an entry that
//! was acknowledged means that a follower lost data, and it stops at once. So behind a success a
//! conflict is reported as a failed call, and asked again: a follower that did lose data says so
//! to the first append of the next session, too.
//!
//! What was committed travels with the next entries, and a learner gets its entries together (see
//! [`super::departures`]).

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use openraft::error::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{Backoff, RPCOption, RPCTypes};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendError,
    StreamAppendResult, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use probes::Bug;
use tokio::time::Instant;

use super::departures::{Departures, Voters};
use super::faults::{FrameInfo, Verdict};
use super::link::{Call, CallError, Link, Links};
use super::snapshot::{self, SNAPSHOT_KIND};
use super::wire::{self, Kind, Unreadable};
use crate::config::NodeConfig;
use crate::types::{Peer, Snapshot, TypeConfig, Vote};
use crate::watch;

/// Appends under way to one follower of one group.
const PIPELINE: usize = 32;
/// An append is cut before it grows past this.
const APPEND_BYTES_SOFT_MAX: usize = 1 << 20;

type RpcError = RPCError<TypeConfig>;
type Appended = Result<AppendEntriesResponse<TypeConfig>, RpcError>;

/// Makes clients for one group.
pub(crate) struct Factory {
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) epoch: u64,
    pub(crate) group: u32,
    pub(crate) links: Arc<Links>,
    /// Index of the last entry in this node's log of the group.
    pub(crate) appended: watch::Receiver<u64>,
    pub(crate) voters: watch::Receiver<Voters>,
}

impl RaftNetworkFactory<TypeConfig> for Factory {
    type Network = Network;

    async fn new_client(&mut self, target: u64, node: &Peer) -> Network {
        // The operator's word goes before the membership's: addresses move, members do not.
        let address = self.config.peers.get(&target).unwrap_or(&node.addr);
        Network {
            config: self.config.clone(),
            epoch: self.epoch,
            group: self.group,
            target,
            link: self.links.reach(target, address),
            appended: self.appended.clone(),
            voters: self.voters.clone(),
            began: self.links.began(),
        }
    }
}

/// A group's client for one peer.
pub(crate) struct Network {
    config: Arc<NodeConfig>,
    epoch: u64,
    group: u32,
    target: u64,
    link: Arc<Link>,
    appended: watch::Receiver<u64>,
    voters: watch::Receiver<Voters>,
    began: Instant,
}

impl Network {
    async fn ask<T>(
        &self,
        kind: Kind,
        rpc: RPCTypes,
        payload: Bytes,
        time: Duration,
        read: impl FnOnce(Bytes) -> Result<T, Unreadable>,
    ) -> Result<T, RpcError> {
        let answer = self.link.call(self.group, kind, payload, time).await;
        let answer = answer.map_err(|error| self.failed(error, rpc, time))?;
        read(answer).map_err(|error| RPCError::Network(NetworkError::new(&error)))
    }

    fn failed(&self, error: CallError, action: RPCTypes, timeout: Duration) -> RpcError {
        match error {
            CallError::TimedOut(_) => RPCError::Timeout(Timeout {
                action,
                id: self.config.node_id,
                target: self.target,
                timeout,
            }),
            error => RPCError::Unreachable(Unreachable::new(&error)),
        }
    }

    /// Sends an append, cut into as many messages as its size asks for.
    fn start_append(&self, request: AppendEntriesRequest<TypeConfig>, time: Duration) -> Sent {
        let AppendEntriesRequest {
            vote,
            mut prev_log_id,
            entries,
            leader_commit,
        } = request;
        let mut calls = Vec::with_capacity(1);
        let mut slice = Vec::with_capacity(entries.len());
        let mut bytes = 0;
        let mut last = prev_log_id;
        let mut send = |previous: &_, slice: Vec<_>| {
            let payload = wire::append_to_wire(&vote, previous, &leader_commit, slice);
            calls.push(self.link.start(self.group, Kind::Append, payload, time));
        };
        for entry in entries {
            let encoded = wire::entry_to_wire(&entry);
            if !slice.is_empty() && bytes + encoded.payload.len() > APPEND_BYTES_SOFT_MAX {
                send(&prev_log_id, std::mem::take(&mut slice));
                prev_log_id = last;
                bytes = 0;
            }
            bytes += encoded.payload.len();
            last = Some(entry.log_id);
            slice.push(encoded);
        }
        send(&prev_log_id, slice);
        calls
    }

    /// Waits for the answers to one append: the first that is no success, or success.
    async fn finish_append(&self, sent: Sent, time: Duration) -> Appended {
        for (number, call) in sent.into_iter().enumerate() {
            let failed = |error| self.failed(error, RPCTypes::AppendEntries, time);
            let answer = call.map_err(failed)?.answer(time).await.map_err(failed)?;
            let reply = wire::append_reply_from_wire(answer)
                .map_err(|error| RPCError::Network(NetworkError::new(&error)))?;
            if number > 0 && reply.is_conflict() {
                return Err(overtaken());
            }
            if !reply.is_success() {
                return Ok(reply);
            }
        }
        Ok(AppendEntriesResponse::Success)
    }

    /// A heartbeat is worth nothing when late; entries may wait for a slow disk.
    fn append_time(
        &self,
        request: &AppendEntriesRequest<TypeConfig>,
        option: &RPCOption,
    ) -> Duration {
        if request.entries.is_empty() {
            option.soft_ttl()
        } else {
            Duration::from_millis(self.config.append_timeout_ms)
        }
    }
}

type Sent = Vec<Result<Call, CallError>>;

impl RaftNetworkV2<TypeConfig> for Network {
    type SnapshotData = Vec<Bytes>;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Appended {
        let time = self.append_time(&request, &option);
        let sent = self.start_append(request, time);
        self.finish_append(sent, time).await
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<
        's,
        Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>,
    >
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let network: &'s Self = self;
        let pipeline = Pipeline {
            network,
            option,
            input: Some(input),
            under_way: VecDeque::new(),
            succeeded: false,
            departures: Departures::new(
                network.target,
                network.appended.clone(),
                network.voters.clone(),
                network.config.append_entries_max,
                network.began,
            ),
        };
        let answers = futures::stream::unfold(pipeline, |mut pipeline| async move {
            let answer = pipeline.next().await?;
            Some((answer, pipeline))
        });
        Box::pin(async move { Ok(answers.boxed()) })
    }

    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let payload = wire::vote_request_to_wire(&request);
        let (kind, read) = (Kind::Vote, wire::vote_reply_from_wire);
        self.ask(kind, RPCTypes::Vote, payload, option.soft_ttl(), read)
            .await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let payload = wire::vote_request_to_wire(&request);
        let (kind, read) = (Kind::PreVote, wire::vote_reply_from_wire);
        self.ask(kind, RPCTypes::Vote, payload, option.soft_ttl(), read)
            .await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let payload = wire::transfer_to_wire(&request);
        let (kind, read) = (Kind::TransferLeader, wire::transfer_reply_from_wire);
        self.ask(
            kind,
            RPCTypes::TransferLeader,
            payload,
            option.soft_ttl(),
            read,
        )
        .await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let lost = self.config.faults.as_ref().is_some_and(|faults| {
            let verdict = faults.judge(FrameInfo {
                from: self.config.node_id,
                to: self.target,
                group: self.group,
                kind: SNAPSHOT_KIND,
                bytes: snapshot.snapshot.iter().map(Bytes::len).sum(),
            });
            verdict == Verdict::Drop
        });
        if lost {
            return Err(Unreachable::from_string("lost on the way").into());
        }
        let (config, to) = (&*self.config, (self.target, self.link.address()));
        let time = option.soft_ttl();
        let sending = snapshot::send(config, self.epoch, self.group, to, &vote, snapshot, time);
        tokio::select! {
            biased;
            closed = cancel => Err(closed.into()),
            sent = sending => match sent {
                Ok(vote) => Ok(SnapshotResponse::new(vote)),
                Err(reason) => Err(Unreachable::from_string(reason).into()),
            },
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        let steps = [50, 100, 200, 400, 800].into_iter();
        let steps = steps.chain(std::iter::repeat(1_000));
        Some(Backoff::new(steps.map(Duration::from_millis)))
    }
}

/// Appends of one session: some still to be sent, some under way.
struct Pipeline<'s, S> {
    network: &'s Network,
    option: RPCOption,
    /// `None` once it ended.
    input: Option<S>,
    under_way: VecDeque<BoxFuture<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>>,
    /// An append of this session was acknowledged.
    succeeded: bool,
    departures: Departures,
}

fn overtaken() -> RpcError {
    RPCError::Network(NetworkError::from_string(
        "an append overtook the one before it",
    ))
}

impl<S> Pipeline<'_, S>
where
    S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
{
    /// The next answer, in the order of requests; sends further requests meanwhile.
    async fn next(&mut self) -> Option<Result<StreamAppendResult<TypeConfig>, RpcError>> {
        loop {
            let may_send = self.under_way.len() < PIPELINE && self.input.is_some();
            if !may_send && self.under_way.is_empty() {
                return None;
            }
            let (input, departures) = (&mut self.input, &mut self.departures);
            let next_request = async {
                match input {
                    Some(input) if may_send => {
                        departures.departs().await;
                        input.next().await
                    }
                    _ => std::future::pending().await,
                }
            };
            let front = self.under_way.front_mut();
            let next_answer = async {
                match front {
                    Some(answer) => answer.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                request = next_request => match request {
                    Some(request) => self.send(request),
                    None => self.input = None,
                },
                answer = next_answer => {
                    self.under_way.pop_front();
                    return Some(match answer {
                        Ok(Err(StreamAppendError::Conflict(_)))
                            if self.succeeded && !probes::planted(Bug::OvertakenAppendTrusted) =>
                        {
                            Err(overtaken())
                        }
                        answer => {
                            self.succeeded |= matches!(answer, Ok(Ok(_)));
                            answer
                        }
                    });
                }
            }
        }
    }

    fn send(&mut self, request: AppendEntriesRequest<TypeConfig>) {
        let network = self.network;
        let time = network.append_time(&request, &self.option);
        let previous = request.prev_log_id;
        let last = request
            .entries
            .last()
            .map(|entry| entry.log_id)
            .or(previous);
        self.departures.sent(last.map_or(0, |last| last.index()));
        let sent = network.start_append(request, time);
        self.under_way.push_back(Box::pin(async move {
            let reply = network.finish_append(sent, time).await?;
            if reply.is_conflict() && previous.is_none() {
                let reason = "a follower found a conflict before the first entry";
                return Err(RPCError::Network(NetworkError::from_string(reason)));
            }
            Ok(reply.into_stream_result(previous, last))
        }));
    }
}
