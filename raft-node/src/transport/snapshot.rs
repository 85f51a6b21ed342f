//! A snapshot from a leader to a replica that needs one, on a stream of its own so that it never
//! holds up a heartbeat: a header, then the machine's parts in pieces of at most 1 MiB.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream;
use probes::Bug;
use tonic::{Request, Status, Streaming};

use super::link::endpoint;
use super::peer::peer_client::PeerClient;
use super::peer::snapshot_piece::Piece;
use super::peer::{SnapshotChunk, SnapshotHeader, SnapshotPiece, SnapshotReply};
use super::server::Served;
use super::{sockets, wire};
use crate::config::NodeConfig;
use crate::platform::tls::Caller;
use crate::storage::codec;
use crate::types::{Snapshot, Vote};

/// Bytes of one piece, at most.
const PIECE_BYTES_MAX: usize = 1 << 20;

/// The kind under which fault injectors are asked about a whole snapshot.
pub(crate) const SNAPSHOT_KIND: u32 = 64;

/// Sends a snapshot and waits until it is installed; returns the receiver's vote.
pub(crate) async fn send(
    config: &NodeConfig,
    epoch: u64,
    group: u32,
    (to, address): (u64, &str),
    vote: &Vote,
    snapshot: Snapshot,
    time: Duration,
) -> Result<Vote, String> {
    let header = SnapshotHeader {
        cluster_high: (config.cluster_id >> 64) as u64,
        cluster_low: config.cluster_id as u64,
        group,
        epoch,
        vote: Some(wire::vote_to_wire(vote)),
        meta: codec::encode_snapshot_meta(&snapshot.meta),
        parts: u32::try_from(snapshot.snapshot.len()).map_err(|_| "too many parts")?,
        from: config.node_id,
        to,
    };
    let pieces = std::iter::once(Piece::Header(header)).chain(chunks(snapshot.snapshot));
    let pieces = pieces.map(|piece| SnapshotPiece { piece: Some(piece) });
    let sending = async {
        let channel = sockets::connect(endpoint(address)?, config, to).await;
        let channel = channel.map_err(|error| error.text)?;
        let reply = PeerClient::new(channel)
            .send_snapshot(Request::new(stream::iter(pieces)))
            .await
            .map_err(|status| status.to_string())?;
        wire::vote_from_wire(reply.into_inner().vote).map_err(|error| error.to_string())
    };
    tokio::time::timeout(time, sending)
        .await
        .map_err(|_| "time-out".to_owned())?
}

fn chunks(parts: Vec<Bytes>) -> impl Iterator<Item = Piece> {
    parts.into_iter().zip(0..).flat_map(|(mut rest, part)| {
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let bytes = rest.split_to(rest.len().min(PIECE_BYTES_MAX));
            ended = rest.is_empty();
            Some(Piece::Chunk(SnapshotChunk {
                part,
                bytes,
                last: ended,
            }))
        })
    })
}

/// Takes a snapshot in and installs it.
pub(crate) async fn receive(
    served: &Arc<Served>,
    caller: Option<Caller>,
    mut pieces: Streaming<SnapshotPiece>,
) -> Result<SnapshotReply, Status> {
    let invalid = |what: &'static str| Status::invalid_argument(what);
    let Some(Piece::Header(header)) = next(&mut pieces).await? else {
        return Err(invalid("a snapshot begins with its header"));
    };
    let cluster = u128::from(header.cluster_high) << 64 | u128::from(header.cluster_low);
    if cluster != served.config.cluster_id {
        return Err(Status::permission_denied("another cluster"));
    }
    if caller.is_some_and(|caller| !caller.is_node(cluster, header.from)) {
        return Err(Status::permission_denied("another's certificate"));
    }
    if header.to != 0 && header.to != served.config.node_id {
        return Err(Status::permission_denied("another node"));
    }
    if !served.admission.is_admitted() {
        return Err(Status::unavailable(
            "an empty directory that may have been wiped",
        ));
    }
    let other = match probes::planted(Bug::SnapshotIntoOtherGroup) {
        true => header.group ^ 1,
        false => header.group,
    };
    let group = served
        .groups
        .get(&other)
        .ok_or_else(|| Status::not_found("unknown group"))?;
    let refuse = |error: &dyn std::fmt::Display| Status::invalid_argument(error.to_string());
    let meta = codec::decode_snapshot_meta(header.meta).map_err(|error| refuse(&error))?;
    let vote = wire::vote_from_wire(header.vote).map_err(|error| refuse(&error))?;

    let mut parts: Vec<Bytes> = Vec::new();
    let mut part = BytesMut::new();
    while let Some(piece) = next(&mut pieces).await? {
        let Piece::Chunk(chunk) = piece else {
            return Err(invalid("a second header"));
        };
        if chunk.part as usize != parts.len() || chunk.part >= header.parts {
            return Err(invalid("a part out of order"));
        }
        part.extend_from_slice(&chunk.bytes);
        if chunk.last {
            parts.push(part.split().freeze());
        }
    }
    if parts.len() != header.parts as usize || !part.is_empty() {
        return Err(invalid("a snapshot cut short"));
    }
    let snapshot = Snapshot {
        meta,
        snapshot: parts,
    };
    let reply = group
        .raft
        .install_full_snapshot(vote, snapshot)
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    // Where the log has all of it already, nothing is installed, and nobody has asked whether the
    // log is durable so far: but that is what the leader takes from the answer (seed 628).
    let synced = group.log.synced().await;
    synced.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(SnapshotReply {
        vote: Some(wire::vote_to_wire(&reply.vote)),
    })
}

async fn next(pieces: &mut Streaming<SnapshotPiece>) -> Result<Option<Piece>, Status> {
    match pieces.message().await? {
        None => Ok(None),
        Some(SnapshotPiece { piece: Some(piece) }) => Ok(Some(piece)),
        Some(SnapshotPiece { piece: None }) => Err(Status::invalid_argument("an empty piece")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_into_pieces_and_an_empty_part_is_a_piece_of_its_own() {
        let parts = vec![
            Bytes::from(vec![1; PIECE_BYTES_MAX + 1]),
            Bytes::new(),
            Bytes::from(vec![2; PIECE_BYTES_MAX]),
        ];
        let cut: Vec<(u32, usize, bool)> = chunks(parts)
            .map(|piece| match piece {
                Piece::Chunk(chunk) => (chunk.part, chunk.bytes.len(), chunk.last),
                Piece::Header(_) => panic!("no header among the chunks"),
            })
            .collect();
        let full = PIECE_BYTES_MAX;
        assert_eq!(
            cut,
            [
                (0, full, false),
                (0, 1, true),
                (1, 0, true),
                (2, full, true)
            ]
        );
    }
}
