//! One run: faults and buyers together, then healing, then a last power cut, then the verdict.
//!
//! Two phases, after TigerBeetle's VOPR: under faults nothing *wrong* may happen; once they have
//! ended everything *right* has to, within a bound.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Ledger, OrderId, ShardId};
use raft_node::Role;
use server::node::audit_view;

use crate::checker::{self, Course, Evidence, Line, Violation, nothing_is_left_over, replay};
use crate::client::{Client, Reply};
use crate::fate::Fate;
use crate::history::History;
use crate::nemesis::{self, LEAD_AHEAD_MS_MAX};
use crate::plan::Plan;
use crate::platform::{elapsed, world_now_ms};
use crate::scenario::Kind;
use crate::steps::across::{self, Deck};
use crate::steps::aimer::{Aimer, Shots};
use crate::timeline;
use crate::workload::{self, Show};
use crate::world::{Alive, World, archivist, clerk, upgrader};

/// How long buyers and disasters may go on, in simulated time.
const SALE_WITHIN: Duration = Duration::from_secs(900);
/// How long after the last fault a hold may be left that no order stands behind.
const NOTHING_LEFT_AFTER: Duration = Duration::from_secs(15);
/// A leg that its home has just let go hears of it within this (seed 888).
const UNDER_WAY: Duration = Duration::from_secs(2);
/// How long a healed cluster may take until nothing is in doubt any more.
const SETTLE_WITHIN: Duration = Duration::from_secs(120);

/// When clocks leap, a new leader's may be as far off as this.
const A_LEAP_MS: u64 = 2 * 3_600_000;

/// What a run came to.
pub struct Verdict {
    /// Promises broken; none, one hopes.
    pub violations: Vec<Violation>,
    /// Hash of all that was noted.
    pub trace: String,
    /// How much was noted.
    pub events: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// "Yes" answers.
    pub yes: usize,
    /// Orders paid.
    pub paid: usize,
    /// What struck, by row of the fault list.
    pub faults: BTreeMap<&'static str, u64>,
    /// What aimed crashes hit.
    pub shots: Shots,
    /// How many such crashes there were.
    pub crashes: u64,
    /// Orders across shards that a crash was aimed at and hit, by how they ended.
    pub ended: BTreeMap<String, u64>,
    /// What happened to the orders that the violations name.
    pub lives: Vec<String>,
    /// The last lines noted.
    pub tail: Vec<String>,
}

/// Runs a plan. Must be called inside a madsim runtime.
pub async fn run(plan: Plan) -> Verdict {
    let Plan {
        scenario,
        blows,
        people,
        ..
    } = plan;
    let history = Arc::new(History::new(elapsed));
    let (seed, wild) = (scenario.seed, scenario.step_crash_percent);
    let (aimer, chores) = Aimer::new(seed, wild, history.clone());
    tokio::spawn(aimer.clone().run(chores));
    let world = World::new(scenario, aimer.clone(), history.clone());
    initialize(&world, &history).await;
    let show = workload::create_show(&world, &history, &world.scenario).await;

    let disasters = tokio::spawn(nemesis::run(world.clone(), history.clone(), blows));
    let archivist = tokio::spawn(archivist::keep(world.clone(), history.clone()));
    let begun = elapsed();
    let upgrader = tokio::spawn(upgrader::keep(world.clone(), history.clone()));
    let clerk = tokio::spawn(clerk::work(world.clone(), history.clone()));
    let deck = Arc::new(Deck::new(&world, &show).await);
    let context = || (world.clone(), show.clone(), history.clone());
    let mut buyers = Vec::new();
    for person in people {
        let (world, show, history) = context();
        let entropy = world.scenario.entropy;
        buyers.push(tokio::spawn(workload::buyer(
            world, show, history, entropy, person,
        )));
    }
    if world.scenario.across > 0 {
        for n in 0..world.scenario.buyers {
            let (world, show, history) = context();
            let deck = deck.clone();
            buyers.push(tokio::spawn(across::buyer(world, show, deck, history, n)));
        }
    }
    let sale = async {
        for buyer in buyers {
            buyer
                .await
                .expect("a buyer panics only on a bug of the simulator");
        }
        disasters
            .await
            .expect("the nemesis panics only on a bug of the simulator");
        archivist
            .await
            .expect("the archivist panics only on a bug of the simulator");
        clerk
            .await
            .expect("the clerk panics only on a bug of the simulator");
    };
    let mut violations = Vec::new();
    if tokio::time::timeout(SALE_WITHIN, sale).await.is_err() {
        violations.push(stuck("buyers were not served within the sale's time"));
    }

    world.heal();
    history.note("healed");
    let healed_at = elapsed();
    let over_by = upgrader::over_by(&world.scenario.upgrades_ms, begun, healed_at);
    match tokio::time::timeout(over_by - healed_at, upgrader).await {
        Ok(done) => done.expect("the upgrader panics only on a bug of the simulator"),
        Err(_) => violations.push(stuck("a healed cluster's upgrade did not come to its end")),
    }
    tokio::time::sleep(NOTHING_LEFT_AFTER - UNDER_WAY).await;
    let mut left_over = left_over(&world);
    tokio::time::sleep(UNDER_WAY).await;
    let still = self::left_over(&world);
    left_over.retain(|leg| still.contains(leg));
    let evidence = settle(&world, &history, &show, &mut violations).await;
    let evidence = evidence.map(|evidence| Evidence {
        left_over,
        ..evidence
    });
    let before = judge(evidence, &mut violations);

    for node in world.members() {
        world.kill(node, true);
    }
    history.note("a last power cut");
    for node in world.members() {
        world.restart(node);
    }
    let evidence = settle(&world, &history, &show, &mut violations).await;
    let after = judge(evidence, &mut violations);
    if let (Some(before), Some(after)) = (before, after)
        && before != after
    {
        violations.push(Violation {
            property: "acked_is_durable",
            found: format!("{before} orders were paid before the last power cut, {after} after"),
        });
    }

    violations.extend(world.alarms());
    let course = course(&world, &history, &show, healed_at);
    violations.extend(checker::check_course(&course));

    let ended = ended(&world, &history);
    let (shots, crashes, _) = aimer.score();
    let (trace, events) = history.trace();
    let found = violations.iter().map(|violation| violation.found.as_str());
    let found: Vec<_> = found.collect();
    Verdict {
        lives: timeline::of(&found.join("\n"), &course),
        violations,
        trace,
        events,
        simulated: elapsed(),
        yes: history.all_yes().len(),
        paid: after.unwrap_or(0),
        faults: world.tally.rows(),
        shots,
        crashes,
        ended,
        tail: history.tail(40),
    }
}

fn stuck(what: &str) -> Violation {
    Violation {
        property: "heals",
        found: what.to_owned(),
    }
}

/// Checks, and says how many orders are paid.
fn judge(evidence: Option<Evidence>, violations: &mut Vec<Violation>) -> Option<usize> {
    let evidence = evidence?;
    violations.extend(checker::check(&evidence));
    let orders = evidence.shards.values().flat_map(|shard| &shard.orders);
    Some(orders.filter(|order| order.phase == "paid").count())
}

async fn initialize(world: &Arc<World>, history: &Arc<History>) {
    // `usher init` repeats itself until it is told that the cluster exists.
    let operator = loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if world
            .members()
            .iter()
            .all(|node| world.alive(*node).is_some())
        {
            break Client::sign_in(
                world.clone(),
                history.clone(),
                world.scenario.entropy,
                "operator",
                "operator",
            )
            .await;
        }
    };
    loop {
        let nothing = serde_json::json!({});
        let reply = operator
            .call("POST", "/operator/admin/init", None, &nothing)
            .await;
        history.note(&format!("init: {}", reply.code()));
        // Where all begin with this release, so does the cluster.
        let mixed = !world.scenario.upgrades_ms.is_empty();
        let whole = |body: &serde_json::Value| body["version"] == cluster::version::NEWEST;
        if matches!(&reply, Reply::Answered(200, body) if mixed || whole(body)) {
            return;
        }
        operator.pause(200, 600).await;
    }
}

/// Waits until all replicas agree and nothing is in doubt; the evidence then.
async fn settle(
    world: &World,
    history: &History,
    show: &Show,
    violations: &mut Vec<Violation>,
) -> Option<Evidence> {
    let started = elapsed();
    let mut why = String::new();
    while elapsed() < started + SETTLE_WITHIN {
        tokio::time::sleep(Duration::from_millis(250)).await;
        match look(world, history, show) {
            Ok(evidence) => {
                history.note("settled");
                return Some(evidence);
            }
            Err(unsettled) => why = unsettled,
        }
    }
    violations.push(stuck(&format!("a healed cluster did not settle: {why}")));
    None
}

/// Every group has a leader that all follow, and has applied all it has: before a new leader has
/// committed an entry of its own, replicas may well agree on an older past (found by seed 39).
fn led(alive: &[Alive]) -> Result<(), String> {
    let groups: Vec<_> = alive.iter().map(|alive| alive.node.status()).collect();
    for status in groups.iter().flatten() {
        let leader = groups.iter().flatten().find(|other| {
            other.group == status.group && other.term == status.term && other.role == Role::Leader
        });
        let Some(leader) = leader else {
            return Err(format!(
                "group {} has no leader of term {}",
                status.group, status.term
            ));
        };
        if status.applied != leader.last_log_index {
            return Err(format!("group {} has not applied everything", status.group));
        }
    }
    Ok(())
}

fn look(world: &World, history: &History, show: &Show) -> Result<Evidence, String> {
    if world.is_changing() {
        return Err("a member is being replaced".to_owned());
    }
    let members = world.members();
    let alive: Vec<Alive> = members
        .iter()
        .filter_map(|node| world.alive(*node))
        .collect();
    let first = alive
        .first()
        .filter(|_| alive.len() == members.len())
        .ok_or("a node is down")?;
    let mut evidence = Evidence {
        yes: history.all_yes(),
        digests: BTreeMap::new(),
        shards: BTreeMap::new(),
        broken: Vec::new(),
        book: world.provider.book().values().cloned().collect(),
        capacity: show.capacity + show.other_capacity,
        fates: Vec::new(),
        all_must_end: world.scenario.across > 0,
        left_over: Vec::new(),
        changed_messages: world.aimer.score().2,
        granted: history.all_granted(),
        trails: alive.iter().map(trail).collect(),
    };
    led(&alive)?;
    let owed = first
        .replicas
        .catalogue
        .look(|catalogue, _, _| catalogue.owed(1).len());
    if owed > 0 {
        return Err("a shard has not heard of the newest version of an event".to_owned());
    }
    for shard in (1..=world.scenario.shards).map(ShardId) {
        let digests: Vec<_> = alive
            .iter()
            .map(|alive| {
                alive.replicas.ledgers[&shard].look(|ledger, applied, _| (applied, ledger.digest()))
            })
            .collect();
        if digests.iter().any(|(applied, _)| *applied != digests[0].0) {
            return Err(format!(
                "replicas of shard {shard} are at different indexes"
            ));
        }
        let names = |event| {
            first
                .replicas
                .catalogue
                .look(|catalogue, _, _| catalogue.event(event).cloned())
        };
        let view = first.replicas.ledgers[&shard]
            .look(|ledger, applied, _| audit_view::view(ledger, applied, &names));
        if view.owed > 0 {
            return Err(format!("shard {shard} still owes messages or payments"));
        }
        let settled: &[&str] = match world.scenario.across {
            0 => &["paid", "held", "refunded"],
            _ => &["paid"],
        };
        if let Some(order) = view
            .orders
            .iter()
            .find(|order| !settled.contains(&order.phase.as_str()))
        {
            return Err(format!("order {} is {}", order.order_id, order.phase));
        }
        let broken = view.broken.iter();
        let broken = broken.map(|violation| format!("shard {shard}: {violation}"));
        evidence.broken.extend(broken);
        evidence.digests.insert(shard.0, digests);
        evidence.shards.insert(shard.0, view);
    }
    evidence.fates = fates(world);
    Ok(evidence)
}

/// What a replica's trail says.
fn trail(alive: &Alive) -> Vec<Line> {
    alive.replicas.catalogue.look(|catalogue, _, _| {
        let records = catalogue.trail().records();
        let line = records.map(|record| {
            let deed = &record.deed;
            (
                record.number,
                record.at.0,
                deed.request.clone(),
                deed.action.clone(),
            )
        });
        line.collect()
    })
}

/// What the run came through, from the first entry on.
fn course(world: &World, history: &History, show: &Show, healed_at: Duration) -> Course {
    let book = &world.aimer.book;
    let shards = (1..=world.scenario.shards).map(ShardId);
    let logs = shards.map(|shard| (shard, book.log(shard.0.into())));
    let replayed = replay::replay(&logs.collect());
    let leaps = world.scenario.kinds.contains(&Kind::ClockJump);
    let errors = world.scenario.skew_ms.iter();
    let ahead = match world.scenario.aimed.contains(&Kind::LeadAhead) {
        true => LEAD_AHEAD_MS_MAX,
        false => 0,
    };
    let clock_error_ms = match leaps {
        true => A_LEAP_MS,
        false => ahead + errors.map(|skew| skew.unsigned_abs()).max().unwrap_or(0),
    };
    Course {
        ops: history.ops(),
        yes: history.all_yes(),
        trespasses: history.trespasses(),
        trail: replayed.trail,
        rooms: replayed.rooms,
        sections: show.sections.clone(),
        unsafe_acts: book.unsafe_acts(),
        disagreements: book.disagreements(),
        retold: replayed.retold,
        replayed: replayed.replayed,
        epoch_ms: world_now_ms() - elapsed().as_millis() as u64,
        clock_error_ms,
        healed_at: Some(healed_at),
        ended_at: elapsed(),
    }
}

/// A shard's replica on its leader, or on any node that is up.
fn with_leader<R>(world: &World, shard: ShardId, look: impl FnOnce(&Ledger) -> R) -> Option<R> {
    let leader = world.leader(shard.0.into());
    let mut nodes = leader.into_iter().chain(world.members());
    let alive = nodes.find_map(|node| world.alive(node))?;
    Some(alive.replicas.ledgers[&shard].look(|ledger, _, _| look(ledger)))
}

/// How every order across shards ended.
fn fates(world: &World) -> Vec<(OrderId, Fate)> {
    let orders = world.aimer.orders().into_iter();
    orders
        .filter_map(|(id, _)| with_leader(world, id.home(), |home| (id, Fate::of(id, home))))
        .collect()
}

/// The same, noted and counted, for those that a crash hit.
fn ended(world: &World, history: &History) -> BTreeMap<String, u64> {
    let hit: BTreeMap<_, _> = world.aimer.orders().into_iter().collect();
    let mut ended = BTreeMap::new();
    for (id, fate) in fates(world) {
        history.note(&format!("{id} ended: {fate}"));
        if hit[&id] {
            *ended.entry(fate.to_string()).or_default() += 1;
        }
    }
    ended
}

/// Holds and pins that no order stands behind.
fn left_over(world: &World) -> Vec<String> {
    let shards = (1..=world.scenario.shards).map(ShardId);
    let unsold = shards.flat_map(|shard| {
        let unsold = |ledger: &Ledger| nothing_is_left_over::unsold(ledger).collect::<Vec<_>>();
        with_leader(world, shard, unsold).unwrap_or_default()
    });
    unsold
        .filter_map(|leg| {
            let judge = |home: &Ledger| nothing_is_left_over::judge(&leg, home);
            with_leader(world, leg.order.home(), judge).flatten()
        })
        .collect()
}
