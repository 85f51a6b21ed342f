//! Sale after sale: many small events, several at a time, so that there are always seats left to
//! sell and always somebody who wants them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::JoinSet;

use super::door::{Doors, SaleDoor};
use crate::history::{History, Yes};
use crate::scenario::Scenario;
use crate::seed::Stream;
use crate::workload::{self, Person, Show};

/// Sales that run at a time.
const STAGES: u64 = 4;
/// Buyers come to a sale without a waiting room when it opens, not before.
const OPENS_AFTER: Duration = Duration::from_secs(4);

/// One event and what its people were told.
pub struct Sale {
    /// The event.
    pub show: Show,
    /// What its people asked and were told.
    pub history: Arc<History>,
}

impl Sale {
    /// Every "yes", its seats named by event as well.
    pub fn yes(&self) -> impl Iterator<Item = Yes> {
        let event = self.show.event_id.replace('-', "");
        let name = move |seat: &String| format!("{event}/{seat}");
        self.history.all_yes().into_iter().map(move |yes| Yes {
            seats: yes.seats.iter().map(&name).collect(),
            ..yes
        })
    }
}

/// All sales of a run.
pub struct Sales {
    seed: u64,
    doors: Arc<Doors>,
    next: AtomicU64,
    closing: AtomicBool,
    held: Mutex<Vec<Sale>>,
}

impl Sales {
    /// Nothing sold yet.
    pub fn new(seed: u64, doors: Arc<Doors>) -> Arc<Self> {
        Arc::new(Self {
            seed,
            doors,
            next: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            held: Mutex::default(),
        })
    }

    /// Sells until told to stop; ends when the last sale is over.
    pub async fn run(self: Arc<Self>) {
        let mut stages = JoinSet::new();
        for stage in 0..STAGES {
            let sales = self.clone();
            stages.spawn(async move {
                // Not all at the same point of their sale.
                tokio::time::sleep(Duration::from_millis(1_500 * stage)).await;
                while !sales.closing.load(Ordering::Relaxed) {
                    sales.clone().sell().await;
                }
            });
        }
        stages.join_all().await;
    }

    /// No new sale from now on.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The sales so far.
    pub fn held(&self) -> MutexGuard<'_, Vec<Sale>> {
        self.held.lock().expect("nobody panics holding it")
    }

    async fn sell(self: Arc<Self>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let scenario = scenario(self.seed, number);
        let doors = self.doors.clone();
        let history = Arc::new(History::new(move || doors.elapsed()));
        let door = Arc::new(SaleDoor {
            doors: self.doors.clone(),
            sale: number,
        });
        let show = workload::create_show(&door, &history, &scenario).await;
        self.held().push(Sale {
            show: show.clone(),
            history: history.clone(),
        });
        if !show.queue {
            tokio::time::sleep(OPENS_AFTER).await;
        }
        let mut buyers = JoinSet::new();
        for person in Person::all(&scenario) {
            let (door, show, history) = (door.clone(), show.clone(), history.clone());
            let entropy = scenario.entropy;
            buyers.spawn(workload::buyer(door, show, history, entropy, person));
        }
        buyers.join_all().await;
    }
}

/// A sale's knobs: those of the simulator, but for holds so short that many end by themselves.
fn scenario(seed: u64, number: u64) -> Scenario {
    let draw = Stream::new(seed, &format!("sale {number}"));
    Scenario {
        hold_seconds: draw.between(6, 10),
        buyers: draw.between(25, 60),
        ..Scenario::new(draw.next())
    }
}
