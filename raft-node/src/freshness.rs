//! How old what a replica shows may be: a bound, never a guess.
//!
//! ```text
//!   replica   asked ──────────────╮             ╭── applied `index`: as of `asked - doubt`
//!   leader      ┄┄ quorum heard ──┴─ answers ───╯
//!                  ╰── doubt ─────╯  with `index`
//! ```
//!
//! To have heard of a leader says little: what came in may have been on its way for a minute, from
//! a leader whom everybody else has left. So each replica asks its leader, about as often as leaders
//! speak, how far the log is committed. The leader adds its *doubt*: how long ago it sent what a
//! quorum has last answered. Until then nobody else can have committed anything, and the question
//! is no younger than its answer; so whoever has applied that far shows everything that was
//! committed by the moment of the question, less the doubt. All of it is measured by the replica's
//! own clock, but for the doubt, which is a difference on the leader's.
//!
//! A replica that nobody reads asks only now and then: most groups are idle most of the time, and a
//! bound of a second or two is as true as one of a quarter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use crate::client::Client;
use crate::group::Group;
use crate::transport::peer;
use crate::transport::wire::{self, Kind, Unreadable};

/// Of two clocks that measure the same time, one may count this part more of it.
const DRIFT: u64 = 1_000;
/// Beats on which a replica goes on asking after it was read.
const BUSY_BEATS: u32 = 16;
/// One that nobody reads asks on every so many.
const IDLE_BEATS: u32 = 8;

/// Up to when a replica is known to show everything; nothing before it first was.
#[derive(Default)]
pub(crate) struct Freshness {
    /// In ms of the monotonic clock; 0 for never.
    as_of_ms: AtomicU64,
    /// Whether somebody read since this was looked at last.
    read: AtomicBool,
}

impl Freshness {
    /// The replica shows everything that was committed by then. What is known already stays known.
    pub(crate) fn knows(&self, as_of: Duration) {
        let as_of_ms = as_of.as_millis() as u64;
        self.as_of_ms.fetch_max(as_of_ms, Ordering::Relaxed);
    }

    /// Somebody reads, and is told how old it is.
    pub(crate) fn is_read(&self) {
        self.read.store(true, Ordering::Relaxed);
    }

    /// How old what the replica shows is at most, in ms; `u64::MAX` when nothing is known: what a
    /// process finds on its disk may be of any age.
    pub(crate) fn age_ms(&self, now: Duration) -> u64 {
        match self.as_of_ms.load(Ordering::Relaxed) {
            0 => u64::MAX,
            as_of_ms => {
                let age_ms = (now.as_millis() as u64).saturating_sub(as_of_ms);
                age_ms + age_ms / DRIFT + 1
            }
        }
    }
}

/// What a leader says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Everything that anybody had committed when a quorum last heard of it lies up to here.
    pub(crate) index: u64,
    /// How long ago that was.
    pub(crate) doubt: Duration,
}

impl Standing {
    pub(crate) fn encode(self) -> Bytes {
        wire::encode(&peer::FreshnessReply {
            index: self.index,
            // Rounded up: a bound.
            doubt_ms: self.doubt.as_millis() as u64 + 1,
        })
    }

    fn decode(bytes: Bytes) -> Result<Self, Unreadable> {
        let reply = peer::FreshnessReply::decode(bytes)?;
        Ok(Self {
            index: reply.index,
            doubt: Duration::from_millis(reply.doubt_ms),
        })
    }
}

/// Keeps what is known of a replica's freshness up to date, until it is dropped.
pub(crate) async fn keep(client: Client, group: Arc<Group>) {
    let every = Duration::from_millis(client.shared.config.heartbeat_ms);
    let mut pace = Pace::default();
    loop {
        if !pace.asks(group.freshness.read.swap(false, Ordering::Relaxed)) {
            tokio::time::sleep(every).await;
            continue;
        }
        let asked = client.now();
        // However long it takes to apply that far: the question does not grow younger by waiting.
        if let Some(leader) = ask(&client, &group).await
            && group.wait_applied(leader.index).await
        {
            group.freshness.knows(asked.saturating_sub(leader.doubt));
        }
        tokio::time::sleep(every).await;
    }
}

/// On which beats a replica asks.
#[derive(Default)]
struct Pace {
    beat: u32,
    busy: u32,
}

impl Pace {
    fn asks(&mut self, read: bool) -> bool {
        self.beat = self.beat.wrapping_add(1);
        self.busy = if read {
            BUSY_BEATS
        } else {
            self.busy.saturating_sub(1)
        };
        self.busy > 0 || self.beat.is_multiple_of(IDLE_BEATS)
    }
}

async fn ask(client: &Client, group: &Group) -> Option<Standing> {
    let config = &client.shared.config;
    let leader = group.leader.borrow().node?;
    if leader == config.node_id {
        return group.standing_here().ok();
    }
    let patience = Duration::from_millis(config.election_min_ms);
    let link = client.link(group, leader)?;
    let answer = link.call(group.id, Kind::Freshness, Bytes::new(), patience);
    Standing::decode(answer.await.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_age_is_a_bound_that_grows_until_something_newer_is_known() {
        let freshness = Freshness::default();
        assert_eq!(freshness.age_ms(ms(5_000)), u64::MAX, "nothing is known");
        freshness.knows(ms(4_000));
        assert_eq!(freshness.age_ms(ms(4_000)), 1);
        assert_eq!(
            freshness.age_ms(ms(9_000)),
            5_006,
            "with what clocks may drift"
        );
        freshness.knows(ms(3_000));
        assert_eq!(freshness.age_ms(ms(4_000)), 1, "an answer that comes late");
        freshness.knows(ms(8_000));
        assert_eq!(freshness.age_ms(ms(9_000)), 1_002);
    }

    #[test]
    fn a_replica_that_is_read_asks_on_every_beat_and_one_that_is_not_now_and_then() {
        let mut pace = Pace::default();
        let idle = (0..80).filter(|_| pace.asks(false)).count();
        assert_eq!(idle, 10);
        assert!(pace.asks(true));
        let busy = (0..15).filter(|_| pace.asks(false)).count();
        assert_eq!(busy, 15);
        let idle = (0..80).filter(|_| pace.asks(false)).count();
        assert_eq!(idle, 10);
    }

    #[test]
    fn what_a_leader_says_of_itself_is_never_younger_on_the_other_side() {
        let said = Standing {
            index: 7,
            doubt: Duration::from_micros(1_999),
        };
        let heard = Standing::decode(said.encode()).unwrap();
        assert_eq!(heard.index, 7);
        assert!(heard.doubt >= said.doubt);
    }
}
