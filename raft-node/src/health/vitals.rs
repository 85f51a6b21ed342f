//! Peers ask each other how they are: about once a second, one small frame each way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use prost::Message;

use super::clocks::{PeerClock, ours_is_far};
use super::hand_over::HandOver;
use super::{Health, Heard};
use crate::acquaint::links;
use crate::admission::Part;
use crate::client::Client;
use crate::storage::Level;
use crate::transport::link::Link;
use crate::transport::peer;
use crate::transport::wire::{self, Kind};

/// Between two questions to a peer.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A peer that takes longer is asked again next time.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Asks everybody for ever, and acts on what they say.
pub(crate) async fn keep(client: Client) {
    let health = client.shared.health.clone();
    let mut hand_over = HandOver::default();
    loop {
        let links = links(&client);
        let peers = links.len();
        join_all(links.iter().map(|(node, link)| ask(&health, *node, link))).await;
        health.compare_clocks(peers);
        hand_over.offer(&client).await;
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// How long a node that stops waits for its peers to have heard so.
const TOLD_WITHIN: Duration = Duration::from_millis(200);

/// Tells everybody that this node stops, before it hands over: who wants it to lead (a placement) would
/// have what it hands over handed back.
pub(crate) async fn take_leave(client: &Client) {
    let health = &client.shared.health;
    if !health.leave() {
        return;
    }
    let group = health.config.groups.first().copied().unwrap_or(0);
    let vitals = wire::encode(&health.vitals(Part::Unknown));
    let told = links(client).into_iter().map(|(_, link)| {
        let vitals = vitals.clone();
        async move {
            // Who does not hear it finds out within a second, by asking.
            let _ = link.call(group, Kind::Vitals, vitals, TOLD_WITHIN).await;
        }
    });
    join_all(told).await;
}

async fn ask(health: &Health, node: u64, link: &Link) {
    // Any group will do: it is the node that answers.
    let group = health.config.groups.first().copied().unwrap_or(0);
    let asked = health.clock.monotonic();
    let answer = link
        .call(group, Kind::Vitals, Bytes::new(), ANSWER_WITHIN)
        .await;
    let vitals = answer.ok().map(peer::Vitals::decode);
    // One of an older release does not know the question.
    let Some(Ok(vitals)) = vitals else { return };
    let answered = health.clock.monotonic();
    let round_trip = answered.saturating_sub(asked);
    let measured = PeerClock::measured(round_trip, health.clock.now_ms(), vitals.now_ms);
    let mut peers = health.peers();
    let known = peers.get(&node).filter(|heard| heard.is_fresh(answered));
    let warned = known.is_some_and(|heard| heard.warned);
    let clock = known.map_or(measured, |heard| heard.clock.or_newer(measured));
    let heard = Heard {
        at: answered,
        clock,
        level: match vitals.room {
            0 => Level::Ample,
            1 => Level::Short,
            _ => Level::Scarce,
        },
        clock_is_far: vitals.clock_is_far,
        leaving: vitals.leaving,
        warned,
    };
    peers.insert(node, heard);
}

impl Health {
    /// Says whose clock is wrong.
    fn compare_clocks(&self, peers: usize) {
        let clocks: Vec<PeerClock> = self.clocks().into_values().collect();
        let far = ours_is_far(&clocks, peers, self.config.clock_offset_max_ms);
        if self.clock_is_far.swap(far, Ordering::Relaxed) != far {
            let ahead_ms: Vec<i64> = clocks.iter().map(|clock| -clock.ahead_ms).collect();
            match far {
                true => tracing::error!(
                    ?ahead_ms,
                    "this node's clock is far from its peers'; it leads nothing while somebody else can"
                ),
                false => tracing::info!("this node's clock agrees with its peers' again"),
            }
        }
        self.warn_of_offsets();
    }

    /// Once for each clock that drifts off.
    fn warn_of_offsets(&self) {
        let limit = self.config.clock_offset_warn_ms;
        let now = self.clock.monotonic();
        let mut peers = self.peers();
        for (node, heard) in peers.iter_mut().filter(|(_, heard)| heard.is_fresh(now)) {
            let off = heard.clock.is_further_than(limit);
            if off != heard.warned {
                heard.warned = off;
                let ahead_ms = heard.clock.ahead_ms;
                match off {
                    true => tracing::warn!(peer = node, ahead_ms, "a peer's clock differs"),
                    false => tracing::info!(peer = node, ahead_ms, "a peer's clock agrees again"),
                }
            }
        }
    }
}
