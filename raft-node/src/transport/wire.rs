//! The words of the peer protocol, to and from openraft's types. Conversions from the wire are
//! total: what a peer sends may be of another release, or wrong, and is refused, never a panic.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderError, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use probes::Bug;
use prost::Message;

use super::peer;
use crate::storage::codec;
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// What a request asks for. Sent as a number: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    Append = 1,
    Vote = 2,
    PreVote = 3,
    TransferLeader = 4,
    Propose = 5,
    ReadIndex = 6,
    Admin = 7,
    Freshness = 8,
    Vitals = 9,
    Found = 10,
}

/// What a node says to a kind of request that its release does not know.
pub(crate) const UNKNOWN_KIND: &str = "unknown kind";

/// Set in the kind of an answer.
pub(crate) const ANSWER: u32 = 1 << 31;
/// Set in the kind of an answer that is a refusal.
pub(crate) const REFUSED: u32 = 1 << 30;

impl Kind {
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Append,
            2 => Self::Vote,
            3 => Self::PreVote,
            4 => Self::TransferLeader,
            5 => Self::Propose,
            6 => Self::ReadIndex,
            7 => Self::Admin,
            8 => Self::Freshness,
            9 => Self::Vitals,
            10 => Self::Found,
            _ => return None,
        })
    }
}

/// Why a peer did not serve a request. Sent as a number: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Reason {
    /// Another cluster, an unknown group or kind, or a payload that cannot be read.
    Foreign = 1,
    /// Not the leader; certain that nothing was proposed.
    NotLeader = 2,
    /// The queue is full; certain that nothing was proposed.
    Overloaded = 3,
    /// The deadline passed in a queue; certain that nothing was proposed.
    Expired = 4,
    /// May or may not have been committed.
    OutcomeUnknown = 5,
    /// Too large; certain that nothing was proposed.
    TooLarge = 6,
    /// The group's replica stopped here.
    Stopped = 7,
    /// The leader would not do it, and says why.
    Rejected = 8,
    /// The disk is all but full; certain that nothing was proposed.
    NoRoom = 9,
}

/// A refusal, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    /// Who leads, as far as the refuser knows.
    pub(crate) leader: Option<u64>,
    pub(crate) text: String,
}

impl Refused {
    pub(crate) fn new(reason: Reason) -> Self {
        Self {
            reason,
            leader: None,
            text: String::new(),
        }
    }

    pub(crate) fn with_leader(mut self, leader: Option<u64>) -> Self {
        self.leader = leader;
        self
    }

    pub(crate) fn with_text(mut self, text: impl ToString) -> Self {
        self.text = text.to_string();
        self
    }

    pub(crate) fn encode(&self) -> Bytes {
        encode(&peer::Refusal {
            reason: self.reason as u32,
            leader: self.leader.unwrap_or(0),
            text: self.text.clone(),
        })
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, Unreadable> {
        let message = peer::Refusal::decode(bytes)?;
        let reason = match message.reason {
            1 => Reason::Foreign,
            2 => Reason::NotLeader,
            3 => Reason::Overloaded,
            4 => Reason::Expired,
            6 => Reason::TooLarge,
            7 => Reason::Stopped,
            8 => Reason::Rejected,
            9 => Reason::NoRoom,
            // Of another release: assume the worst.
            _ => Reason::OutcomeUnknown,
        };
        Ok(Self {
            reason,
            leader: (message.leader != 0).then_some(message.leader),
            text: message.text,
        })
    }
}

/// A payload that is not what its kind promises.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("malformed message: {0}")]
    Message(#[from] prost::DecodeError),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error(transparent)]
    Payload(#[from] codec::CodecError),
}

pub(crate) fn encode(message: &impl Message) -> Bytes {
    Bytes::from(message.encode_to_vec())
}

pub(crate) fn vote_to_wire(vote: &Vote) -> peer::Vote {
    peer::Vote {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

pub(crate) fn vote_from_wire(vote: Option<peer::Vote>) -> Result<Vote, Unreadable> {
    let vote = vote.ok_or(Unreadable::Missing("vote"))?;
    Ok(if vote.committed {
        Vote::new_committed(vote.term, vote.node)
    } else {
        Vote::new(vote.term, vote.node)
    })
}

pub(crate) fn log_id_to_wire(id: &LogId) -> peer::LogId {
    peer::LogId {
        term: id.committed_leader_id().term,
        index: id.index(),
    }
}

pub(crate) fn log_id_from_wire(id: peer::LogId) -> LogId {
    LogId::new_term_index(id.term, id.index)
}

fn option_to_wire(id: &Option<LogId>) -> Option<peer::LogId> {
    id.as_ref().map(log_id_to_wire)
}

/// Encodes an append; its entries are encoded already, to be cut by size.
pub(crate) fn append_to_wire(
    vote: &Vote,
    previous: &Option<LogId>,
    committed: &Option<LogId>,
    entries: Vec<peer::Entry>,
) -> Bytes {
    encode(&peer::AppendRequest {
        vote: Some(vote_to_wire(vote)),
        previous: option_to_wire(previous),
        committed: option_to_wire(committed),
        entries,
    })
}

pub(crate) fn append_from_wire(
    bytes: Bytes,
) -> Result<AppendEntriesRequest<TypeConfig>, Unreadable> {
    let message = peer::AppendRequest::decode(bytes)?;
    let entries = message
        .entries
        .into_iter()
        .map(entry_from_wire)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(AppendEntriesRequest {
        vote: vote_from_wire(message.vote)?,
        prev_log_id: message.previous.map(log_id_from_wire),
        entries,
        leader_commit: message.committed.map(log_id_from_wire),
    })
}

pub(crate) fn entry_to_wire(entry: &Entry) -> peer::Entry {
    peer::Entry {
        term: entry.log_id.committed_leader_id().term,
        index: entry.log_id.index(),
        payload: codec::encode_payload(&entry.payload),
    }
}

fn entry_from_wire(entry: peer::Entry) -> Result<Entry, Unreadable> {
    Ok(Entry {
        log_id: LogId::new_term_index(entry.term, entry.index),
        payload: codec::decode_payload(entry.payload)?,
    })
}

pub(crate) fn append_reply_to_wire(reply: &AppendEntriesResponse<TypeConfig>) -> Bytes {
    use peer::append_reply::Result as Wire;
    let result = match reply {
        AppendEntriesResponse::Success => Wire::Success(true),
        AppendEntriesResponse::PartialSuccess(matching) => Wire::Partial(peer::PartialSuccess {
            matching: option_to_wire(matching),
        }),
        AppendEntriesResponse::Conflict if probes::planted(Bug::ConflictAnsweredAsSuccess) => {
            Wire::Success(true)
        }
        AppendEntriesResponse::Conflict => Wire::Conflict(true),
        AppendEntriesResponse::HigherVote(vote) => Wire::Higher(vote_to_wire(vote)),
    };
    encode(&peer::AppendReply {
        result: Some(result),
    })
}

pub(crate) fn append_reply_from_wire(
    bytes: Bytes,
) -> Result<AppendEntriesResponse<TypeConfig>, Unreadable> {
    use peer::append_reply::Result as Wire;
    let result = peer::AppendReply::decode(bytes)?.result;
    Ok(match result.ok_or(Unreadable::Missing("result"))? {
        Wire::Success(_) => AppendEntriesResponse::Success,
        Wire::Partial(partial) => {
            AppendEntriesResponse::PartialSuccess(partial.matching.map(log_id_from_wire))
        }
        Wire::Conflict(_) => AppendEntriesResponse::Conflict,
        Wire::Higher(vote) => AppendEntriesResponse::HigherVote(vote_from_wire(Some(vote))?),
    })
}

pub(crate) fn vote_request_to_wire(request: &VoteRequest<TypeConfig>) -> Bytes {
    encode(&peer::VoteRequest {
        vote: Some(vote_to_wire(&request.vote)),
        last: option_to_wire(&request.last_log_id),
        leadership_transfer: request.leadership_transfer,
    })
}

pub(crate) fn vote_request_from_wire(bytes: Bytes) -> Result<VoteRequest<TypeConfig>, Unreadable> {
    let message = peer::VoteRequest::decode(bytes)?;
    let mut last = message.last.map(log_id_from_wire);
    if probes::planted(Bug::LogNotComparedInVotes) {
        last = Some(LogId::new_term_index(u64::MAX, u64::MAX));
    }
    let mut request = VoteRequest::new(vote_from_wire(message.vote)?, last);
    request.leadership_transfer = message.leadership_transfer;
    Ok(request)
}

pub(crate) fn vote_reply_to_wire(reply: &VoteResponse<TypeConfig>) -> Bytes {
    encode(&peer::VoteReply {
        vote: Some(vote_to_wire(&reply.vote)),
        granted: reply.vote_granted,
        last: option_to_wire(&reply.last_log_id),
    })
}

pub(crate) fn vote_reply_from_wire(bytes: Bytes) -> Result<VoteResponse<TypeConfig>, Unreadable> {
    let message = peer::VoteReply::decode(bytes)?;
    Ok(VoteResponse::new(
        vote_from_wire(message.vote)?,
        message.last.map(log_id_from_wire),
        message.granted,
    ))
}

pub(crate) fn transfer_to_wire(request: &TransferLeaderRequest<TypeConfig>) -> Bytes {
    encode(&peer::TransferRequest {
        from: Some(vote_to_wire(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(log_id_to_wire),
    })
}

pub(crate) fn transfer_from_wire(
    bytes: Bytes,
) -> Result<TransferLeaderRequest<TypeConfig>, Unreadable> {
    let message = peer::TransferRequest::decode(bytes)?;
    Ok(TransferLeaderRequest::new(
        vote_from_wire(message.from)?,
        message.to,
        message.last.map(log_id_from_wire),
    ))
}

pub(crate) fn transfer_reply_to_wire(reply: &TransferLeaderResponse<TypeConfig>) -> Bytes {
    use peer::transfer_reply::Result as Wire;
    let result = match reply {
        Ok(()) => Wire::Accepted(true),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            Wire::VoteChanged(peer::VoteChanged {
                expected: Some(vote_to_wire(expected)),
                actual: Some(vote_to_wire(actual)),
            })
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            Wire::LogNotFlushed(peer::LogNotFlushed {
                expected: option_to_wire(expected),
                actual: option_to_wire(actual),
            })
        }
    };
    encode(&peer::TransferReply {
        result: Some(result),
    })
}

pub(crate) fn transfer_reply_from_wire(
    bytes: Bytes,
) -> Result<TransferLeaderResponse<TypeConfig>, Unreadable> {
    use peer::transfer_reply::Result as Wire;
    let result = peer::TransferReply::decode(bytes)?.result;
    Ok(match result.ok_or(Unreadable::Missing("result"))? {
        Wire::Accepted(_) => Ok(()),
        Wire::VoteChanged(changed) => Err(TransferLeaderError::VoteChanged {
            expected: vote_from_wire(changed.expected)?,
            actual: vote_from_wire(changed.actual)?,
        }),
        Wire::LogNotFlushed(log) => Err(TransferLeaderError::LogNotFlushed {
            expected: log.expected.map(log_id_from_wire),
            actual: log.actual.map(log_id_from_wire),
        }),
    })
}
