//! Killing nodes while the sale runs: again and again the one that leads most, with SIGKILL, and
//! at last all of them at once. Each is started again on its own directory and must come back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::board::Board;
use super::children::{Cluster, Error};
use super::measure::{longest_gap_around, millis};
use super::sale::Sale;
use crate::dice::Dice;
use crate::progress::Progress;

const BACK_PATIENCE: Duration = Duration::from_secs(60);
/// Undisturbed time between a return and the next kill.
const CALM: Duration = Duration::from_millis(2_500);
/// Estimates, for the pace of the sale.
const SECONDS_EACH: u64 = 7;
const SECONDS_ALL: u64 = 12;
/// A pause is looked for this long after a kill.
const WINDOW: Duration = Duration::from_secs(10);

/// One blow.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    /// When.
    pub at: Instant,
    /// The node; `None` when it was all of them.
    pub node: Option<u64>,
    /// Groups it led.
    pub led: usize,
}

/// A blow, as the report has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kill {
    /// Seconds since the sale began.
    pub at_s: f64,
    /// Longest time around it in which no reservation was granted.
    pub pause_ms: u64,
    /// The node; absent when all were killed.
    pub node: Option<u64>,
    /// Groups it led.
    pub led: usize,
}

/// How long the chaos will still take, for the pace.
#[derive(Debug)]
pub struct Schedule {
    seconds_left: AtomicU64,
    kills: u64,
    /// When it is over, where that does not go by kills.
    until: Option<Instant>,
}

impl Schedule {
    /// So many kills of leaders, then one of everybody.
    pub fn new(kills: u64) -> Self {
        let left = kills * SECONDS_EACH + SECONDS_ALL;
        Self {
            seconds_left: AtomicU64::new(left),
            kills,
            until: None,
        }
    }

    /// Something that takes about so long from now on.
    pub fn lasting(seconds: u64) -> Self {
        Self {
            seconds_left: AtomicU64::new(seconds),
            kills: 0,
            until: Some(Instant::now() + Duration::from_secs(seconds)),
        }
    }

    /// Reservations a second at which the stock outlasts the rest of the chaos.
    pub fn reserves_per_second(&self, available: u64) -> f64 {
        const SEATS_PER_ORDER: f64 = 2.4;
        const SOLD_MEANWHILE: f64 = 0.75;
        let seconds = match self.until {
            Some(until) => until.saturating_duration_since(Instant::now()).as_secs(),
            None => self.seconds_left.load(Ordering::Relaxed),
        };
        // What takes longer than it should must not find the house sold out.
        let seconds = seconds.max(if self.until.is_some() { 15 } else { 3 }) as f64;
        (available as f64 * SOLD_MEANWHILE / SEATS_PER_ORDER / seconds).max(2.0)
    }

    fn done(&self, kills: u64) {
        let left = self.kills.saturating_sub(kills) * SECONDS_EACH + SECONDS_ALL;
        self.seconds_left.store(left, Ordering::Relaxed);
    }
}

/// Carries the schedule out. Ends early when the sale does.
pub async fn unleash(
    cluster: &mut Cluster,
    sale: &Sale,
    board: &Board,
    schedule: &Schedule,
    progress: &Progress,
) -> Result<Vec<Blow>, Error> {
    let mut dice = Dice::fresh();
    let mut blows = Vec::new();
    sale.until(|sale| sale.counts().sold > 0).await;
    tokio::time::sleep(CALM).await;
    for kill in 0..schedule.kills {
        if sale.over() {
            return Ok(blows);
        }
        board.refresh().await;
        let Some((index, led)) = board.leading_most() else {
            break;
        };
        let node = cluster.nodes[index].id;
        progress.say(&format!("kill -9 node {node}, which leads {led} groups"));
        let at = Instant::now();
        cluster.kill_node(index);
        board.set_up(index, false);
        blows.push(Blow {
            at,
            node: Some(node),
            led,
        });
        tokio::time::sleep(Duration::from_millis(1_000 + dice.below(2_000))).await;
        cluster.start_node(index)?;
        cluster
            .await_probe(index, "/readyz", "ready again", BACK_PATIENCE)
            .await?;
        board.set_up(index, true);
        progress.say(&format!(
            "node {node} is back after {:.1} s",
            at.elapsed().as_secs_f64()
        ));
        schedule.done(kill + 1);
        tokio::time::sleep(CALM).await;
    }
    if !sale.over() {
        blows.push(kill_all(cluster, board, progress).await?);
        tokio::time::sleep(CALM).await;
    }
    Ok(blows)
}

async fn kill_all(
    cluster: &mut Cluster,
    board: &Board,
    progress: &Progress,
) -> Result<Blow, Error> {
    progress.say("kill -9 every node at once");
    let at = Instant::now();
    let count = cluster.nodes.len();
    for index in 0..count {
        cluster.kill_node(index);
        board.set_up(index, false);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    for index in 0..count {
        cluster.start_node(index)?;
    }
    cluster.await_all_ready(BACK_PATIENCE).await?;
    (0..count).for_each(|index| board.set_up(index, true));
    progress.say(&format!(
        "all nodes are back after {:.1} s",
        at.elapsed().as_secs_f64()
    ));
    Ok(Blow {
        at,
        node: None,
        led: 0,
    })
}

/// The longest time without a grant that each blow caused.
pub fn measure(blows: &[Blow], grants: &[Instant], start: Instant, end: Instant) -> Vec<Kill> {
    let next = |index: usize| blows.get(index + 1).map_or(end, |blow| blow.at);
    let pause = |(index, blow): (usize, &Blow)| {
        let until = next(index).min(blow.at + WINDOW);
        Kill {
            at_s: ((blow.at - start).as_secs_f64() * 10.0).round() / 10.0,
            pause_ms: millis(longest_gap_around(grants, start, blow.at, until)),
            node: blow.node,
            led: blow.led,
        }
    };
    blows.iter().enumerate().map(pause).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_the_longest_gap_between_grants_from_the_kill_on() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let blow = |ms| Blow {
            at: at(ms),
            node: Some(1),
            led: 3,
        };
        let grants: Vec<_> = [0, 100, 900, 1000, 2700, 2800, 2900, 20_000].map(at).into();
        let kills = measure(&[blow(1_050)], &grants, start, at(3_000));
        assert_eq!((kills[0].pause_ms, kills[0].at_s), (1_700, 1.1));
        // Before the kill it was slow, too; that is not its fault.
        let kills = measure(&[blow(2_750)], &grants[..7], start, at(2_950));
        assert_eq!(kills[0].pause_ms, 100);
        // Nothing was granted any more.
        let kills = measure(&[blow(2_950)], &grants[..7], start, at(9_000));
        assert_eq!(kills[0].pause_ms, 6_100);
        assert!(measure(&[blow(10)], &[], start, at(5_000))[0].pause_ms >= 4_990);
    }

    #[test]
    fn the_pace_leaves_a_quarter_of_the_stock_for_the_end() {
        let schedule = Schedule::new(5);
        let rate = schedule.reserves_per_second(70_000);
        let seconds = (5 * SECONDS_EACH + SECONDS_ALL) as f64;
        assert!(rate * 2.4 * seconds <= 70_000.0 * 0.76, "{rate}");
        schedule.done(5);
        assert!(schedule.reserves_per_second(70_000) > rate);
        assert!(
            schedule.reserves_per_second(0) > 0.0,
            "a sale must not stand still"
        );
    }
}
