//! What the page shows at one moment, as one node sees it.
//!
//! Of its own replicas and its own machine a node knows all; of others it knows what leaders and they
//! themselves say in the nodes' own protocol: how far they are, which release they run. It says who speaks,
//! so that nobody takes the one for the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use api::events::{EventSummary, list};
use axum::extract::State;
use cluster::catalogue::EventRecord;
use cluster::plan::{GroupSeen, rehearse};
use ledger::ShardId;
use serde::Serialize;
use tokio::time::Instant;

use crate::figures::{Doors, Pair, Scrape};
use crate::node::admin::{Admin, GroupView, MembersView, StatusView};
use crate::node::members::{BOUNDS, Look, look};
use crate::node::version::{Survey, survey_within};

/// Events that are shown, the newest; ids begin with the time of creation.
const EVENTS_MAX: usize = 100;
/// A node that does not answer within this is shown as silent.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_000);
/// Pictures over which rates and latencies are told.
const RATES_OVER: usize = 5;

/// The picture.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    /// When, by the clock of the node that speaks.
    at: String,
    /// The node that speaks.
    node: StatusView,
    /// Members, and what is to be done; absent before the cluster is initialized.
    members: Option<MembersView>,
    /// Releases, and who answers; absent while the system group has no leader.
    releases: Option<Survey>,
    /// Why there are none.
    releases_problem: Option<String>,
    groups: Vec<GroupPicture>,
    events: Vec<EventPicture>,
    /// How many more events there are.
    events_more: usize,
    door: Option<DoorPicture>,
    /// Payments that the provider has to be asked about.
    payments_owed: f64,
    /// Messages between shards that were not acknowledged yet.
    messages_owed: f64,
}

/// A group, by its leader's word, and this node's replica of it.
#[derive(Debug, Serialize)]
struct GroupPicture {
    group: u32,
    leader: Option<u64>,
    /// The newest that this node knows of.
    term: Option<u64>,
    last_log: Option<u64>,
    changing: bool,
    /// Whether it has work here and makes no progress.
    stuck: bool,
    replicas: Vec<ReplicaPicture>,
    /// Here.
    role: Option<String>,
    applied: Option<u64>,
    /// Entries that came after the newest snapshot here.
    since_snapshot: Option<u64>,
    /// Places, and orders that were not given back; none in the system group.
    places: Option<u64>,
    orders: Option<usize>,
}

#[derive(Debug, Serialize)]
struct ReplicaPicture {
    node: u64,
    votes: bool,
    lag: u64,
    heard_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct EventPicture {
    #[serde(flatten)]
    summary: EventSummary,
    /// Of those held, places that are being paid: nothing ends them but an answer.
    pinned: u64,
    queue: Option<QueuePicture>,
}

#[derive(Debug, Serialize)]
struct QueuePicture {
    joined: u64,
    /// The cursor: places before it have come up.
    admitted: u64,
    waiting: u64,
    admit_per_minute: u32,
}

/// What was asked for at this node's own door over the last seconds.
#[derive(Debug, Serialize)]
struct DoorPicture {
    seconds: f64,
    reserves_per_s: f64,
    granted_per_s: f64,
    pays_per_s: f64,
    /// Absent without a reservation, or when nobody can tell.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// Draws one picture after the other, and remembers the counters of the last ones.
pub(super) struct Painter {
    admin: Arc<Admin>,
    scrapes: VecDeque<(Instant, Scrape)>,
}

impl Painter {
    pub(super) fn new(admin: Arc<Admin>) -> Self {
        Self {
            admin,
            scrapes: VecDeque::new(),
        }
    }

    pub(super) async fn paint(&mut self) -> Picture {
        let admin = self.admin.clone();
        let client = admin.node.client();
        let (seen, releases) = tokio::join!(
            look(&client, &admin.replicas),
            survey_within(&client, &admin.replicas, ANSWER_WITHIN),
        );
        let node = StatusView::of(&admin);
        let members = seen.as_ref().map(|look| {
            let left = rehearse(look.registry.clone(), look.seen.clone(), BOUNDS);
            MembersView::of(&admin, look, &left)
        });
        let (releases, releases_problem) = match releases {
            Ok(releases) => (Some(releases), None),
            Err(why) => (None, Some(why)),
        };
        let (events, events_more) = events(&admin).await;
        let scrape = Scrape::read(&admin.door.metrics.render());
        let owed = |name| scrape.sum(name, &[]);
        let (payments_owed, messages_owed) = (
            owed("usher_ledger_payments_owed"),
            owed("usher_ledger_messages_owed"),
        );
        Picture {
            at: api::text::time(admin.door.backend.now()),
            groups: groups(&admin, &node, seen.as_ref()),
            node,
            members,
            releases,
            releases_problem,
            events,
            events_more,
            door: self.door(scrape),
            payments_owed,
            messages_owed,
        }
    }

    fn door(&mut self, now: Scrape) -> Option<DoorPicture> {
        self.scrapes.push_back((Instant::now(), now));
        if self.scrapes.len() > RATES_OVER + 1 {
            self.scrapes.pop_front();
        }
        let (first, last) = (self.scrapes.front()?, self.scrapes.back()?);
        let seconds = (last.0 - first.0).as_secs_f64();
        let pair = Pair {
            before: &first.1,
            now: &last.1,
        };
        let told = Doors::between(&[pair], seconds);
        let millis = |s: Option<f64>| s.filter(|s| s.is_finite()).map(|s| s * 1e3);
        (self.scrapes.len() > 1).then(|| DoorPicture {
            seconds,
            reserves_per_s: told.reserves_per_s,
            granted_per_s: told.granted_per_s,
            pays_per_s: told.pays_per_s,
            p50_ms: millis(told.reserve_p50_s),
            p99_ms: millis(told.reserve_p99_s),
        })
    }
}

fn groups(admin: &Admin, node: &StatusView, look: Option<&Look>) -> Vec<GroupPicture> {
    let mut told: BTreeMap<u32, (Option<&GroupView>, Option<&GroupSeen>)> = BTreeMap::new();
    for group in &node.groups {
        told.entry(group.group).or_default().0 = Some(group);
    }
    for (group, seen) in look.into_iter().flat_map(|look| &look.seen) {
        told.entry(*group).or_default().1 = seen.as_ref();
    }
    let stuck = admin.node.health().stuck();
    let stuck: BTreeSet<u32> = stuck.iter().filter_map(|stuck| stuck.group).collect();
    let pictures = told.into_iter().map(|(group, (here, seen))| {
        let ledger = u16::try_from(group).ok().map(ShardId);
        let ledger = ledger.and_then(|shard| admin.replicas.ledgers.get(&shard));
        let sizes = ledger.map(|ledger| {
            ledger.look(|ledger, _, _| {
                let counts = ledger.events().map(|event| ledger.counts(event.plan.event));
                let places = counts.map(|counts| u64::from(counts.capacity())).sum();
                (places, ledger.sizes().orders)
            })
        });
        GroupPicture {
            group,
            leader: seen.map(|seen| seen.leader),
            term: here.map(|here| here.term),
            last_log: seen.map(|seen| seen.last_log),
            changing: seen.is_some_and(|seen| seen.configs.len() > 1 || !seen.settled),
            stuck: stuck.contains(&group),
            replicas: seen.map(replicas).unwrap_or_default(),
            role: here.map(|here| here.role.clone()),
            applied: here.map(|here| here.applied),
            since_snapshot: here.map(|here| here.last_log.saturating_sub(here.snapshot)),
            places: sizes.map(|(places, _)| places),
            orders: sizes.map(|(_, orders)| orders),
        }
    });
    pictures.collect()
}

fn replicas(seen: &GroupSeen) -> Vec<ReplicaPicture> {
    let voters = seen.voters();
    let replicas = seen.replicas.iter().map(|(&node, replica)| ReplicaPicture {
        node,
        votes: voters.contains(&node),
        lag: seen.lag(node),
        heard_ms: match node == seen.leader {
            true => Some(0),
            false => replica.heard_ms,
        },
    });
    replicas.collect()
}

/// The newest events, and how many there are beside them.
async fn events(admin: &Admin) -> (Vec<EventPicture>, usize) {
    // A node that cannot count them shows none: not initialized, or without some replica.
    let Ok(axum::Json(all)) = list(State(admin.door.clone())).await else {
        return (Vec::new(), 0);
    };
    let more = all.events.len().saturating_sub(EVENTS_MAX);
    let newest = all.events.into_iter().skip(more);
    let pictures = newest.map(|summary| {
        let event = api::text::parse_event(&summary.event_id);
        let record = event.and_then(|event| admin.door.backend.event(event));
        EventPicture {
            pinned: record.as_ref().map_or(0, |record| pinned(admin, record)),
            queue: record.and_then(|record| queue(admin, &record)),
            summary,
        }
    });
    (pictures.collect(), more)
}

fn pinned(admin: &Admin, record: &EventRecord) -> u64 {
    let ledgers = admin.replicas.ledgers.values();
    let each = ledgers.map(|ledger| ledger.look(|ledger, _, _| ledger.counts(record.plan.event)));
    each.map(|counts| u64::from(counts.pinned)).sum()
}

fn queue(admin: &Admin, record: &EventRecord) -> Option<QueuePicture> {
    let rules = &record.plan.rules;
    rules.queue.as_ref()?;
    let ledger = admin.replicas.ledgers.get(&rules.room_shard)?;
    ledger.look(|ledger, _, _| {
        let status = ledger.room(record.plan.event)?.status(rules);
        Some(QueuePicture {
            joined: status.joined,
            admitted: status.cursor,
            waiting: status.joined.saturating_sub(status.cursor),
            admit_per_minute: status.admit_per_minute,
        })
    })
}
