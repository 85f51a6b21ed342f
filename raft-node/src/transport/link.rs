//! The asking end of a link to one peer: it dials, redials with backoff, numbers requests and
//! gives each answer to whoever waits for it.
//!
//! A request is never kept for a later connection: without one it fails at once, and when one
//! breaks everything under way fails. Consensus and clients know better what is still worth
//! sending. The failures differ: `Unreachable` and `Full` are certain not to have been sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::transport::Endpoint;
use trace::Trace;

use super::lane::{Lane, NotSent};
use super::peer::Frame;
use super::peer::peer_client::PeerClient;
use super::sockets::{self, NotConnected};
use super::traffic::Traffic;
use super::wire::{ANSWER, Kind, REFUSED, Refused};
use crate::config::{MESSAGE_BYTES_MAX, NodeConfig};
use crate::tasks::Task;
use crate::watch;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// Short: who comes back is needed for votes, and a refused dial costs next to nothing.
const BACKOFF_MAX: Duration = Duration::from_millis(300);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(4);
const POISONED: &str = "no holder of a link's lock panics";

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// Not sent: there is no connection.
    #[error("peer {0} is unreachable")]
    Unreachable(u64),
    /// Not sent: too much waits for this peer already.
    #[error("the link to peer {0} is full")]
    Full(u64),
    /// Sent, perhaps; the connection broke before an answer came.
    #[error("the connection to peer {0} broke")]
    Lost(u64),
    /// Sent, perhaps; no answer within the time allowed.
    #[error("no answer from peer {0} in time")]
    TimedOut(u64),
    /// Answered with a refusal.
    #[error("refused: {:?} {}", .0.reason, .0.text)]
    Refused(Refused),
}

fn carried(trace: Trace) -> Bytes {
    Bytes::copy_from_slice(&trace.encode())
}

/// All links of a node.
pub(crate) struct Links {
    config: Arc<NodeConfig>,
    epoch: u64,
    traffic: Arc<Traffic>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    refused: watch::Sender<BTreeSet<u64>>,
    began: Instant,
}

impl Links {
    pub(crate) fn new(config: Arc<NodeConfig>, epoch: u64, traffic: Arc<Traffic>) -> Arc<Self> {
        Arc::new(Self {
            config,
            epoch,
            traffic,
            links: Mutex::new(BTreeMap::new()),
            refused: watch::channel(BTreeSet::new()).0,
            began: Instant::now(),
        })
    }

    /// Peers at whose address nobody listened when they were last dialled.
    pub(crate) fn refused(&self) -> watch::Receiver<BTreeSet<u64>> {
        self.refused.receiver()
    }

    /// The link to a peer; dials it when there was none, or when its address changed.
    pub(crate) fn reach(&self, peer: u64, address: &str) -> Arc<Link> {
        let mut links = self.links.lock().expect(POISONED);
        if let Some(link) = links.get(&peer)
            && link.address == address
        {
            return link.clone();
        }
        let link = Link::dial(self, peer, address);
        links.insert(peer, link.clone());
        link
    }

    /// The link to a peer that was dialled before, or that the configuration names.
    pub(crate) fn get(&self, peer: u64) -> Option<Arc<Link>> {
        let known = self.links.lock().expect(POISONED).get(&peer).cloned();
        known.or_else(|| {
            let address = self.config.peers.get(&peer)?;
            Some(self.reach(peer, address))
        })
    }

    /// When they began: a moment that is the same for all of them.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Whoever was dialled so far.
    pub(crate) fn dialled(&self) -> Vec<u64> {
        let links = self.links.lock().expect(POISONED);
        links.keys().copied().collect()
    }

    /// Hangs up on everybody.
    pub(crate) fn close(&self) {
        self.links.lock().expect(POISONED).clear();
    }
}

/// The asking end of a link.
pub(crate) struct Link {
    peer: u64,
    address: String,
    shared: Arc<Shared>,
    _dialer: Task,
}

struct Shared {
    config: Arc<NodeConfig>,
    epoch: u64,
    traffic: Arc<Traffic>,
    peer: u64,
    state: Mutex<State>,
    refused: watch::Sender<BTreeSet<u64>>,
}

#[derive(Default)]
struct State {
    lane: Option<Lane>,
    next_request: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Bytes, CallError>>>,
}

impl Link {
    fn dial(links: &Links, peer: u64, address: &str) -> Arc<Self> {
        let shared = Arc::new(Shared {
            config: links.config.clone(),
            epoch: links.epoch,
            traffic: links.traffic.clone(),
            peer,
            state: Mutex::new(State::default()),
            refused: links.refused.clone(),
        });
        let dialer = Task::spawn(keep_connected(shared.clone(), address.to_owned()));
        Arc::new(Self {
            peer,
            address: address.to_owned(),
            shared,
            _dialer: dialer,
        })
    }

    /// Where the peer is dialled.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks, and waits for the answer for at most `deadline`.
    pub(crate) async fn call(
        &self,
        group: u32,
        kind: Kind,
        payload: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let call = self.start(group, kind, payload, deadline)?;
        call.answer(deadline).await
    }

    /// Asks at once, in the order of calls; the answer is awaited later.
    pub(crate) fn start(
        &self,
        group: u32,
        kind: Kind,
        payload: Bytes,
        deadline: Duration,
    ) -> Result<Call, CallError> {
        let config = &self.shared.config;
        let mut state = self.shared.state();
        let request = state.next_request;
        let Some(lane) = &state.lane else {
            return Err(CallError::Unreachable(self.peer));
        };
        let sent = lane.send(
            self.peer,
            Frame {
                cluster_high: (config.cluster_id >> 64) as u64,
                cluster_low: config.cluster_id as u64,
                group,
                epoch: self.shared.epoch,
                request,
                kind: kind as u32,
                deadline_ms: u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX),
                payload,
                from: config.node_id,
                to: self.peer,
                trace: match kind {
                    Kind::Propose => trace::current().map_or_else(Bytes::new, carried),
                    _ => Bytes::new(),
                },
            },
        );
        match sent {
            Ok(()) => {}
            Err(NotSent::Full) => return Err(CallError::Full(self.peer)),
            Err(NotSent::Closed) => return Err(CallError::Unreachable(self.peer)),
        }
        let (sender, receiver) = oneshot::channel();
        state.next_request += 1;
        state.waiting.insert(request, sender);
        Ok(Call {
            shared: self.shared.clone(),
            request,
            receiver,
        })
    }
}

/// A request under way. Dropping it forgets the answer.
pub(crate) struct Call {
    shared: Arc<Shared>,
    request: u64,
    receiver: oneshot::Receiver<Result<Bytes, CallError>>,
}

impl Call {
    pub(crate) async fn answer(mut self, deadline: Duration) -> Result<Bytes, CallError> {
        let peer = self.shared.peer;
        match tokio::time::timeout(deadline, &mut self.receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Lost(peer)),
            Err(_) => Err(CallError::TimedOut(peer)),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.shared.state().waiting.remove(&self.request);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(POISONED)
    }

    fn take_answer(&self, frame: Frame) {
        if frame.epoch != self.epoch || frame.kind & ANSWER == 0 {
            return;
        }
        let Some(waiting) = self.state().waiting.remove(&frame.request) else {
            return; // Too late, or a duplicate.
        };
        let answer = if frame.kind & REFUSED == 0 {
            Ok(frame.payload)
        } else {
            Err(match Refused::decode(frame.payload) {
                Ok(refused) => CallError::Refused(refused),
                Err(_) => CallError::Lost(self.peer),
            })
        };
        // Nobody waits any more when the deadline has just passed.
        let _ = waiting.send(answer);
    }

    /// Whether nobody listens there.
    fn note_refused(&self, refused: bool) {
        self.refused.publish_if(|peers| match refused {
            true => peers.insert(self.peer),
            false => peers.remove(&self.peer),
        });
    }

    /// Everything under way fails with the connection.
    fn hang_up(&self) {
        let waiting = {
            let mut state = self.state();
            state.lane = None;
            std::mem::take(&mut state.waiting)
        };
        for (_, waiting) in waiting {
            let _ = waiting.send(Err(CallError::Lost(self.peer)));
        }
    }
}

/// Dials for ever, until its task is dropped.
async fn keep_connected(shared: Arc<Shared>, address: String) {
    let mut backoff = BACKOFF_MIN;
    loop {
        match connect_once(&shared, &address).await {
            Ok(()) => backoff = BACKOFF_MIN,
            Err(error) => {
                shared.note_refused(error.refused);
                let error = error.text;
                tracing::debug!(peer = shared.peer, address, error, "peer cannot be reached");
            }
        }
        shared.hang_up();
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// One connection, from its first byte to its end. `Ok` when it was up.
async fn connect_once(shared: &Arc<Shared>, address: &str) -> Result<(), NotConnected> {
    let endpoint = endpoint(address)?;
    let connecting = sockets::connect(endpoint, &shared.config, shared.peer);
    let channel = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| "time-out while connecting".to_owned())??;
    let mut client = PeerClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let config = &shared.config;
    let (lane, drain) = Lane::new(
        config.node_id,
        config.link_frames_max,
        config.faults.clone(),
        &shared.traffic,
    );
    let opening = client.link(tonic::Request::new(drain));
    let mut answers = tokio::time::timeout(CONNECT_TIMEOUT, opening)
        .await
        .map_err(|_| "time-out while opening the link".to_owned())?
        .map_err(|status| status.to_string())?
        .into_inner();
    shared.state().lane = Some(lane);
    shared.note_refused(false);
    tracing::info!(peer = shared.peer, address, "link is up");
    loop {
        match answers.message().await {
            Ok(Some(message)) => {
                for frame in message.frames {
                    shared.take_answer(frame);
                }
            }
            Ok(None) => break,
            Err(status) => {
                tracing::debug!(peer = shared.peer, %status, "link broke");
                break;
            }
        }
    }
    tracing::info!(peer = shared.peer, address, "link is down");
    Ok(())
}

/// How peers are dialled, for links and snapshots alike.
pub(crate) fn endpoint(address: &str) -> Result<Endpoint, String> {
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(10)))
        .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(Some(4 << 20))
        .initial_connection_window_size(Some(8 << 20)))
}
