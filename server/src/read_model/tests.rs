//! Goal: whatever becomes of the files, the model ends up telling the truth, and nobody else
//! notices. Method: real machines fed with entries, real directories, and damage done between and
//! during runs.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use ledger::command::{CloseReason, LegWant, OpenOrder, Want};
use ledger::event::{EventPlan, EventRules, Layout, Sale, SectionPlan};
use ledger::seat_list::SeatList;
use ledger::*;
use raft_node::machine::{self, Machine};

use super::*;
use crate::node::machines::LedgerMachine;

const SHARD: ShardId = ShardId(1);
const EVENT: EventId = EventId(5);
const SECTION: SectionKey = SectionKey {
    event: EVENT,
    section: SectionNo(0),
};
const OWNER: Owner = Owner {
    cluster: 1,
    node: 2,
};
const PACE: Pace = Pace {
    beat: Duration::from_millis(3),
    work: Duration::from_secs(1),
    flush: Duration::from_millis(20),
    retry: Duration::from_millis(10),
};

/// A replica and its read model.
struct Replica {
    machine: LedgerMachine,
    shared: Arc<Shared<Ledger>>,
    inbox: Arc<Inbox>,
    index: u64,
}

impl Replica {
    fn new() -> Self {
        let inbox = Arc::new(Inbox::default());
        let (machine, shared) = LedgerMachine::new(SHARD);
        Self {
            machine: machine.tell(inbox.clone()),
            shared,
            inbox,
            index: 0,
        }
    }

    /// A replica that knows an event of 1,000 seats.
    fn selling() -> Self {
        let mut replica = Self::new();
        replica.apply(&[Command::InstallEvent(Box::new(plan()))]);
        replica
    }

    /// The replica after a restart from a snapshot.
    fn restored(&self) -> Self {
        let mut copy = Self::new();
        copy.machine
            .restore(self.machine.save())
            .expect("a sound snapshot");
        copy.index = self.index;
        copy
    }

    fn apply(&mut self, commands: &[Command]) {
        self.index += 1;
        let commands: Vec<Bytes> = commands.iter().map(proto::encode_command).collect();
        let stamp = machine::Stamp {
            at_ms: 1_000 * self.index,
            draw: [3; 32],
        };
        let entry = machine::Entry {
            index: self.index,
            term: 1,
            stamp,
            commands: &commands,
            awaited: false,
        };
        self.machine.apply(entry).expect("words of this release");
    }

    /// Opens an order for one seat, and closes every third.
    fn sell(&mut self, orders: std::ops::Range<u16>) {
        for number in orders {
            let open = open(number);
            let close = Command::CloseOrder {
                order: open.order,
                buyer: open.buyer,
                why: CloseReason::Cancelled,
            };
            let mut commands = vec![Command::OpenOrder(Box::new(open))];
            commands.extend((number % 3 == 0).then_some(close));
            self.apply(&commands);
        }
    }

    fn model(&self, root: &Path) -> ReadModel {
        self.paced_model(root, PACE)
    }

    fn paced_model(&self, root: &Path, pace: Pace) -> ReadModel {
        let platform = Platform::os(root).expect("a directory");
        let ledgers = BTreeMap::from([(SHARD, self.shared.clone())]);
        let root = root.join("read-model");
        ReadModel::start(root, OWNER, self.inbox.clone(), ledgers, &platform, pace)
    }

    fn sequence(&self) -> u64 {
        self.shared.look(|ledger, _, _| ledger.feed_sequence())
    }

    /// Waits until the model tells everything, then checks that it tells the truth.
    async fn expect_truth(&self, model: &ReadModel) -> FeedPage {
        let page = self.caught_up(model).await;
        let numbers: Vec<u64> = page.lines.iter().map(|line| line.number).collect();
        assert_eq!(
            numbers,
            (page.first..page.end).collect::<Vec<_>>(),
            "a gap in the feed"
        );
        for number in 0..20 {
            let open = open(number);
            let state = self.shared.look(|ledger, _, _| {
                let closed = ledger
                    .closed_order(open.order)
                    .map(|closed| Some(closed.why));
                closed.or(ledger.order(open.order).map(|_| None))
            });
            let told = model.orders_of(open.buyer, 10).expect("it is ready").lines;
            let told: Vec<_> = told.iter().map(|line| (line.order, line.closed)).collect();
            let truth = state.map(|closed| (open.order, closed));
            assert_eq!(
                told,
                truth.into_iter().collect::<Vec<_>>(),
                "orders of buyer {number}"
            );
        }
        page
    }

    async fn caught_up(&self, model: &ReadModel) -> FeedPage {
        for _ in 0..5_000 {
            if let Ok(page) = model.feed(SHARD, 0, usize::MAX)
                && page.end == self.sequence() + 1
                && model.complete()
            {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the model did not catch up");
    }
}

fn plan() -> EventPlan {
    let layout = Layout::Seated {
        rows: 10,
        seats_per_row: 100,
        blocked: vec![],
        accessible: vec![],
    };
    EventPlan {
        event: EVENT,
        version: 1,
        rules: EventRules {
            sale: Sale::Open,
            opens_at: Timestamp(0),
            hold_ms: 3_600_000,
            order_seats_max: 8,
            buyer_seats_max: 8,
            currency: *b"EUR",
            queue: None,
            room_shard: SHARD,
        },
        sections: vec![SectionPlan {
            shard: SHARD,
            layout,
            price: 100,
            tier: 1,
        }],
    }
}

fn open(number: u16) -> OpenOrder {
    let seats = SeatList::new(&[SeatNo(number)]).expect("one seat");
    let want = Want::Seats {
        section: SectionNo(0),
        seats,
    };
    OpenOrder {
        order: OrderId::new(SHARD, u128::from(number) + 1),
        event: EVENT,
        buyer: BuyerId(u128::from(number) << 100 | 9),
        pass: None,
        legs: vec![LegWant { shard: SHARD, want }],
    }
}

fn files(root: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("under it"));
        fs::create_dir_all(target.parent().expect("has one")).expect("writable");
        // Files may vanish under a running database.
        let _ = fs::copy(&file, target);
    }
}

#[tokio::test]
async fn a_feed_goes_on_without_gaps_across_restarts_and_snapshots() {
    let root = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    let model = replica.model(root.path());
    replica.sell(0..20);
    let before = replica.expect_truth(&model).await;
    assert!(!before.rebuilt, "nothing was missing");
    model.stop().await;

    // From a snapshot; the log behind it is what sells on.
    let mut replica = replica.restored();
    let model = replica.model(root.path());
    assert_eq!(replica.expect_truth(&model).await, before);
    replica.sell(20..30);
    let after = replica.expect_truth(&model).await;
    assert!(!after.rebuilt);
    assert_eq!(after.lines[..before.lines.len()], before.lines);
    model.stop().await;

    // From the very beginning: the whole log is replayed, and known facts are not told twice.
    let mut replica = Replica::selling();
    replica.sell(0..15);
    let model = replica.model(root.path());
    tokio::time::sleep(PACE.beat * 5).await;
    replica.sell(15..30);
    assert_eq!(replica.expect_truth(&model).await, after);
}

#[tokio::test]
async fn a_rush_writes_its_feed_and_lists_follow_when_there_is_time() {
    let root = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    let rush = Pace {
        work: Duration::ZERO,
        ..PACE
    };
    let model = replica.paced_model(root.path(), rush);
    replica.sell(0..20);
    let end = replica.sequence() + 1;
    let mut page = None;
    for _ in 0..5_000 {
        page = model.feed(SHARD, 0, usize::MAX).ok();
        if page.as_ref().is_some_and(|page| page.end == end) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let page = page.expect("the feed is told");
    assert_eq!((page.first, page.end), (1, end));
    let listing = model.orders_of(open(0).buyer, 10).expect("it is ready");
    assert!(!listing.complete && listing.lines.is_empty());
    model.stop().await;

    // Where lists stopped is known across restarts.
    let replica = replica.restored();
    let model = replica.model(root.path());
    assert_eq!(replica.expect_truth(&model).await, page);
}

#[tokio::test]
async fn replicas_fed_with_the_same_entries_have_the_same_feed_and_the_same_seats() {
    let (one, two) = (
        tempfile::tempdir().expect("one"),
        tempfile::tempdir().expect("two"),
    );
    let mut first = Replica::selling();
    let mut second = Replica::selling();
    let (first_model, second_model) = (first.model(one.path()), second.model(two.path()));
    first.sell(0..20);
    for number in 0..20 {
        second.sell(number..number + 1);
        tokio::time::sleep(PACE.beat).await;
    }
    let feeds = (
        first.expect_truth(&first_model).await,
        second.expect_truth(&second_model).await,
    );
    assert_eq!(feeds.0, feeds.1);

    // Seat 3 was held and freed: two facts, newest first, a page at a time.
    let history = |model: &ReadModel, before, limit| {
        model
            .seat_history(SHARD, SECTION, SeatNo(3), before, limit)
            .expect("it is ready")
    };
    let all = history(&second_model, None, 10);
    let numbers: Vec<_> = all.lines.iter().map(|line| line.change.number()).collect();
    assert_eq!((numbers, all.before), (vec![21, 17], None));
    assert_eq!(all, history(&first_model, None, 10));
    let page = history(&second_model, None, 1);
    assert_eq!(page.lines, all.lines[..1]);
    let page = history(&second_model, page.before, 1);
    assert_eq!(page.lines, all.lines[1..]);

    // A page of a feed goes on where the last one ended.
    let page = first_model.feed(SHARD, 7, 5).expect("it is ready");
    assert_eq!(page.lines, feeds.0.lines[6..11]);
}

#[tokio::test]
async fn a_model_that_lost_its_tail_is_refilled_by_the_log_or_rebuilt() {
    let root = tempfile::tempdir().expect("a directory");
    let lost = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    let model = replica.model(root.path());
    replica.sell(0..10);
    replica.expect_truth(&model).await;
    tokio::time::sleep(PACE.flush * 2).await;
    // What a killed process leaves: files as they happen to be.
    copy(root.path(), lost.path());
    replica.sell(10..20);
    let whole = replica.expect_truth(&model).await;
    model.stop().await;

    // The log still has everything: refilled, the same feed.
    let refilled = tempfile::tempdir().expect("a directory");
    copy(lost.path(), refilled.path());
    let mut replayed = Replica::selling();
    replayed.sell(0..20);
    let model = replayed.model(refilled.path());
    assert_eq!(replayed.expect_truth(&model).await.lines, whole.lines);

    // The log begins behind a newer snapshot: rebuilt, and says so.
    let restored = replica.restored();
    let model = restored.model(lost.path());
    let page = restored.expect_truth(&model).await;
    assert!(page.rebuilt);
    assert_eq!((page.first, page.lines.len()), (restored.sequence() + 1, 0));
    let history = model
        .seat_history(SHARD, SECTION, SeatNo(4), None, 10)
        .expect("ready");
    let held = history
        .at_first
        .expect("seat 4 was held when the feed began");
    assert_eq!((held.1, held.2), (open(4).order, open(4).buyer));
}

#[tokio::test]
async fn facts_that_do_not_fit_cost_the_machine_nothing_and_the_model_a_rebuild() {
    let root = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    // No writer yet: facts pile up to the bound, and no further.
    let before = replica.sequence();
    let mut version = 1;
    while replica.sequence() - before <= inbox::FACTS_MAX as u64 {
        let rules = |version: u64| Command::SetRules {
            event: EVENT,
            version,
            rules: Box::new(EventRules {
                buyer_seats_max: version as u16 | 1,
                ..plan().rules
            }),
        };
        replica.apply(
            &(version + 1..=version + 5_000)
                .map(rules)
                .collect::<Vec<_>>(),
        );
        version += 5_000;
    }
    replica.sell(0..20);
    let delivery = replica.inbox.collect(inbox::Delivery::default());
    assert!(delivery.changes.len() <= inbox::FACTS_MAX);
    assert!(delivery.changes.len() > inbox::FACTS_MAX / 2);
    let model = replica.model(root.path());
    assert!(replica.expect_truth(&model).await.rebuilt);
    replica.sell(500..505);
    let page = replica.expect_truth(&model).await;
    assert_eq!(page.lines.len(), 19, "the feed goes on behind the rebuild");
}

#[tokio::test]
async fn damage_while_running_is_survived() {
    let root = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    let model = replica.model(root.path());
    replica.sell(0..20);
    replica.expect_truth(&model).await;
    // A value that makes no sense, met by a question.
    let garbage = |store: &store::Store| {
        store
            .db
            .insert(keys::orders_of(open(1).buyer), &b"\x01"[..])?;
        Ok(())
    };
    model.slot.with(garbage).expect("a database");
    assert_eq!(
        model.orders_of(open(1).buyer, 10),
        Err(HistoryError::NotReady)
    );
    assert!(replica.expect_truth(&model).await.rebuilt);
    // A panic inside of a question stays there.
    let panics = |_: &store::Store| -> Result<(), store::StoreError> { panic!("planted") };
    assert!(model.slot.with(panics).is_none());
    replica.sell(20..25);
    replica.expect_truth(&model).await;
    assert_eq!(
        numbered(root.path()),
        2,
        "only the database in use stays, and the lock"
    );
}

/// What happened: with all disks full every node took its model for damaged, threw it away, and tried
/// again a minute later. The feed's past was gone on all of them, and none was ready meanwhile.
#[tokio::test]
async fn a_full_disk_is_no_damage_the_model_waits_and_its_feed_goes_on_where_it_was() {
    let root = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    // Nothing is flushed before there is no room: what is not durable is what a closed database loses.
    let seldom = Duration::from_secs(3_600);
    let pace = Pace {
        flush: seldom,
        retry: Duration::from_millis(50),
        ..PACE
    };
    let model = replica.paced_model(root.path(), pace);
    replica.sell(0..10);
    let page = replica.caught_up(&model).await;
    let first = page.first;
    for (at, full) in [
        std::io::ErrorKind::StorageFull,
        std::io::ErrorKind::QuotaExceeded,
    ]
    .into_iter()
    .enumerate()
    {
        let no_room = move |_: &store::Store| -> Result<(), store::StoreError> {
            Err(sled::Error::Io(full.into()).into())
        };
        assert!(model.slot.with(no_room).is_none());
        assert!(!model.is_open(), "nobody reads what may be incomplete");
        let from = 10 + 5 * at as u16;
        replica.sell(from..from + 5);
    }
    let page = replica.expect_truth(&model).await;
    assert_eq!(page.first, first);
    assert!(!page.rebuilt, "nothing of the feed was lost");
    assert_eq!(numbered(root.path()), 2, "the same database, and the lock");
}

fn numbered(root: &Path) -> usize {
    fs::read_dir(root.join("read-model"))
        .expect("readable")
        .count()
}

#[tokio::test]
async fn no_damage_to_any_file_keeps_the_model_from_coming_back() {
    let sound = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    let model = replica.model(sound.path());
    replica.sell(0..300);
    let whole = replica.expect_truth(&model).await;
    model.stop().await;
    let names: Vec<_> = files(sound.path())
        .into_iter()
        .map(|file| {
            file.strip_prefix(sound.path())
                .expect("under it")
                .to_owned()
        })
        .collect();
    assert!(names.len() >= 2, "{names:?}");
    let untouched = tempfile::tempdir().expect("a directory");
    copy(sound.path(), untouched.path());
    let copied = replica.restored();
    let model = copied.model(untouched.path());
    assert_eq!(
        copied.expect_truth(&model).await,
        whole,
        "a sound copy is as good"
    );
    model.stop().await;
    let mut rebuilt = 0;
    for name in &names {
        let size = fs::metadata(sound.path().join(name))
            .expect("readable")
            .len() as usize;
        let flips = [0, 3, size / 7, size / 3, size / 2, size.saturating_sub(9)];
        let flips = flips.into_iter().filter(|at| *at < size).map(Some);
        for damage in flips.chain([None]) {
            let root = tempfile::tempdir().expect("a directory");
            copy(sound.path(), root.path());
            let file = root.path().join(name);
            let mut bytes = fs::read(&file).expect("readable");
            match damage {
                Some(at) => bytes[at..(at + 8).min(size)]
                    .iter_mut()
                    .for_each(|byte| *byte ^= 0x5a),
                None => bytes.truncate(size / 2),
            }
            fs::write(&file, bytes).expect("writable");
            let replica = replica.restored();
            let model = replica.model(root.path());
            let page = replica.expect_truth(&model).await;
            if page.rebuilt {
                rebuilt += 1;
            } else {
                assert_eq!(page, whole, "{name:?} {damage:?}");
            }
            model.stop().await;
        }
    }
    assert!(rebuilt > 0, "no damage was ever noticed");
}

#[tokio::test]
async fn a_database_that_took_the_process_down_or_is_anothers_is_not_opened_again() {
    let root = tempfile::tempdir().expect("a directory");
    let mut replica = Replica::selling();
    let model = replica.model(root.path());
    replica.sell(0..20);
    assert!(!replica.expect_truth(&model).await.rebuilt);
    model.stop().await;
    let models = root.path().join("read-model");
    fs::write(models.join("opening"), b"").expect("writable");
    let replica = replica.restored();
    let model = replica.model(root.path());
    assert!(replica.expect_truth(&model).await.rebuilt);
    model.stop().await;
    assert!(!models.join("opening").exists());

    // A file where the directory should be: no model, and nothing else.
    fs::remove_dir_all(&models).expect("writable");
    fs::write(&models, b"").expect("writable");
    let replica = replica.restored();
    let model = replica.model(root.path());
    tokio::time::sleep(PACE.retry * 3).await;
    assert_eq!(
        model.orders_of(open(1).buyer, 1),
        Err(HistoryError::NotReady)
    );
    // Once it is gone, the model comes by itself.
    fs::remove_file(&models).expect("writable");
    replica.expect_truth(&model).await;
}
