//! The cluster, as plain ledgers in this process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::backend::{Backend, BackendError, Committed, Freshness, Missing};
use cluster::catalogue::{
    Catalogue, CatalogueCommand, CatalogueOutcome, Deed, EventRecord, KeyId, KeyRecord,
};
use cluster::route::Router;
use futures::FutureExt;
use futures::future::BoxFuture;
use ledger::{Command, EventId, Ledger, Outcome, Receipt, ShardId, Stamp, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

/// When every test's world begins.
pub const START: Timestamp = Timestamp(1_800_000_000_000);

pub struct LocalBackend {
    state: Mutex<State>,
    changed: Vec<watch::Sender<u64>>,
    began: Instant,
    moved_ms: AtomicU64,
    /// The time, once it stands still; 0 while it runs.
    frozen_at: AtomicU64,
    chance: AtomicU64,
    /// The next proposals end like this.
    pub failing: Mutex<Vec<(ShardId, BackendError)>>,
    pub ready: AtomicBool,
    pub room: AtomicBool,
}

struct State {
    ledgers: Vec<(Ledger, u64)>,
    catalogue: Catalogue,
}

impl LocalBackend {
    pub fn new(shards: u16) -> Arc<Self> {
        let mut catalogue = Catalogue::default();
        catalogue
            .apply(&CatalogueCommand::FixShards { shards })
            .expect("a new cluster");
        let to = cluster::version::NEWEST;
        catalogue
            .apply(&CatalogueCommand::RaiseVersion { to })
            .expect("everybody here supports it");
        let ledgers = (1..=shards)
            .map(|shard| (Ledger::new(ShardId(shard)), 0))
            .collect();
        Arc::new(Self {
            state: Mutex::new(State { ledgers, catalogue }),
            changed: (0..shards).map(|_| watch::channel(0).0).collect(),
            began: Instant::now(),
            moved_ms: AtomicU64::new(0),
            frozen_at: AtomicU64::new(0),
            chance: AtomicU64::new(1),
            failing: Mutex::default(),
            ready: AtomicBool::new(true),
            room: AtomicBool::new(true),
        })
    }

    /// Moves the clock forward.
    pub fn advance(&self, ms: u64) {
        self.moved_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Stops the clock and the courier: from now on only commands change anything.
    pub fn freeze(&self) {
        let now = self.now();
        self.frozen_at.store(now.0, Ordering::SeqCst);
        let shards = self.lock().ledgers.len() as u16;
        (1..=shards).for_each(|shard| drop(self.apply(ShardId(shard), &Command::Tick)));
    }

    /// A copy of everything.
    pub fn copy(&self) -> (Vec<Ledger>, Catalogue) {
        let state = self.lock();
        (
            state
                .ledgers
                .iter()
                .map(|(ledger, _)| ledger.clone())
                .collect(),
            state.catalogue.clone(),
        )
    }

    /// Whether everything is as in the copy. A digest counts commands, refused ones as well, so the
    /// copy is given as many that do nothing. Only while the clock stands still.
    pub fn unchanged_since(&self, copy: &mut (Vec<Ledger>, Catalogue)) -> bool {
        let (at, draw) = (self.now(), [0; 32]);
        let state = self.lock();
        let same = state
            .ledgers
            .iter()
            .zip(&mut copy.0)
            .all(|((now, _), before)| {
                while before.applied() < now.applied() {
                    before
                        .apply(Stamp { at, draw }, &Command::Tick)
                        .expect("a tick is never refused");
                }
                now.digest() == before.digest()
            });
        same && state.catalogue == copy.1
    }

    pub fn look<T>(&self, shard: ShardId, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.lock().ledgers[usize::from(shard.0) - 1].0)
    }

    /// Entries of a shard's log.
    pub fn entries(&self, shard: ShardId) -> u64 {
        *self.changed[usize::from(shard.0) - 1].borrow()
    }

    /// Runs the courier until dropped: ticks, messages, new versions of events.
    pub async fn courier(self: Arc<Self>) {
        loop {
            if self.frozen_at.load(Ordering::SeqCst) == 0 {
                self.round();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn round(&self) {
        let owed = self.lock().catalogue.owed(64);
        for (shard, record) in owed {
            let outcome = self.apply(shard, &Command::InstallEvent(Box::new(record.plan.clone())));
            assert_eq!(outcome.outcome, Ok(Receipt::EventInstalled));
            let (event, version) = (record.plan.event, record.plan.version);
            let noted = CatalogueCommand::RecordInstalled {
                event,
                shard,
                version,
            };
            self.lock()
                .catalogue
                .apply(&noted)
                .expect("the event exists");
        }
        let count = self.lock().ledgers.len() as u16;
        for from in (1..=count).map(ShardId) {
            while self
                .look(from, Ledger::next_due)
                .is_some_and(|due| due <= self.now())
            {
                self.apply(from, &Command::Tick)
                    .outcome
                    .expect("a tick is never refused");
            }
            let letters: Vec<_> = self.look(from, |ledger| {
                let boxes = ledger.outboxes().filter(|(_, outbox)| !outbox.is_empty());
                boxes
                    .map(|(to, outbox)| (to, outbox.first(), outbox.messages().cloned().collect()))
                    .collect()
            });
            for (to, first, messages) in letters {
                let delivered = self
                    .apply(
                        to,
                        &Command::Deliver {
                            from,
                            first,
                            messages,
                        },
                    )
                    .outcome;
                let Ok(Receipt::Delivered { through }) = delivered else {
                    panic!("not delivered: {delivered:?}");
                };
                self.apply(from, &Command::Acknowledge { to, through })
                    .outcome
                    .expect("it was delivered");
            }
        }
    }

    fn apply(&self, shard: ShardId, command: &Command) -> Committed<Outcome> {
        let at = self.now();
        let mut draw = [0; 32];
        self.entropy(&mut draw);
        let mut state = self.lock();
        let (ledger, index) = &mut state.ledgers[usize::from(shard.0) - 1];
        let outcome = ledger.apply(Stamp { at, draw }, command);
        *index += 1;
        let index = *index;
        drop(state);
        self.changed[usize::from(shard.0) - 1].send_replace(index);
        Committed { index, at, outcome }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no test thread panics under the lock")
    }
}

impl Backend for LocalBackend {
    fn now(&self) -> Timestamp {
        match self.frozen_at.load(Ordering::SeqCst) {
            0 => {
                let ran = self.began.elapsed().as_millis() as u64;
                START.plus_ms(ran + self.moved_ms.load(Ordering::SeqCst))
            }
            frozen => Timestamp(frozen),
        }
    }

    fn entropy(&self, bytes: &mut [u8]) {
        for byte in bytes {
            // An odd multiplier walks through all values; good enough to be different each time.
            let next = self
                .chance
                .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            *byte = (next ^ next >> 29 ^ next >> 47) as u8;
        }
    }

    fn router(&self) -> Option<Router> {
        self.lock().catalogue.router()
    }

    fn event(&self, event: EventId) -> Option<Arc<EventRecord>> {
        self.lock().catalogue.event(event).cloned()
    }

    fn events(&self) -> Vec<Arc<EventRecord>> {
        self.lock().catalogue.events().cloned().collect()
    }

    fn api_key(&self, key: KeyId) -> Option<KeyRecord> {
        self.lock().catalogue.key(key).cloned()
    }

    fn installed_everywhere(&self, event: EventId) -> bool {
        self.lock().catalogue.installed_everywhere(event)
    }

    fn propose(
        &self,
        shard: ShardId,
        command: Command,
        _: Duration,
    ) -> BoxFuture<'_, Result<Committed<Outcome>, BackendError>> {
        async move {
            tokio::task::yield_now().await;
            let mut failing = self.failing.lock().expect("no panics under the lock");
            if let Some(at) = failing.iter().position(|(failing, _)| *failing == shard) {
                return Err(failing.remove(at).1);
            }
            drop(failing);
            Ok(self.apply(shard, &command))
        }
        .boxed()
    }

    fn propose_catalogue(
        &self,
        by: Deed,
        command: CatalogueCommand,
        _: Duration,
    ) -> BoxFuture<'_, Result<Committed<CatalogueOutcome>, BackendError>> {
        async move {
            let mut state = self.lock();
            let outcome = state.catalogue.apply_for(self.now(), Some(&by), &command);
            drop(state);
            Ok(Committed {
                index: 1,
                at: self.now(),
                outcome,
            })
        }
        .boxed()
    }

    fn catch_up(&self, _: ShardId, _: Duration) -> BoxFuture<'_, Result<(), BackendError>> {
        futures::future::ready(Ok(())).boxed()
    }

    fn read(&self, shard: ShardId, look: &mut dyn FnMut(&Ledger, Freshness)) -> bool {
        let state = self.lock();
        let Some((ledger, index)) = state.ledgers.get(usize::from(shard.0).wrapping_sub(1)) else {
            return false;
        };
        look(
            ledger,
            Freshness {
                index: *index,
                age_ms: 0,
            },
        );
        true
    }

    fn changed(&self, shard: ShardId, index: u64) -> BoxFuture<'_, ()> {
        let mut changes = self.changed[usize::from(shard.0) - 1].subscribe();
        async move {
            let _ = changes.wait_for(|now| *now > index).await;
        }
        .boxed()
    }

    fn has_room(&self) -> bool {
        self.room.load(Ordering::SeqCst)
    }

    fn ready(&self) -> Result<(), Vec<Missing>> {
        let missing = |what, detail: &str| Missing {
            what,
            detail: detail.to_owned(),
        };
        match self.ready.load(Ordering::SeqCst) {
            true => Ok(()),
            false => Err(vec![
                missing("draining", "this node is draining"),
                missing("leader", "group 2 has no leader"),
            ]),
        }
    }
}
