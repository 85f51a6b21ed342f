//! The page: what two looks tell, in lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::look::{Look, Told, pairs};
use crate::figures::Doors;

/// One page of text.
pub fn page(before: &Look, now: &Look) -> String {
    let mut text = String::new();
    head(&mut text, before, now);
    nodes(&mut text, before, now);
    shards(&mut text, before, now);
    text
}

fn head(text: &mut String, before: &Look, now: &Look) {
    let up = now.told().count();
    let leaders = leaders(now);
    let led = leaders
        .values()
        .filter(|(_, leader)| leader.is_some())
        .count();
    let _ = writeln!(
        text,
        "{up} of {} nodes answer, {led} of {} groups are led",
        now.nodes.len(),
        leaders.len()
    );
    let places = |state| -> f64 {
        let labels = [("state", state)];
        now.of_shards("usher_ledger_places", &labels).values().sum()
    };
    let waiting: f64 = now
        .of_shards("usher_ledger_people_waiting", &[])
        .values()
        .sum();
    let _ = writeln!(
        text,
        "seats: {} free, {} held, {} sold; {waiting} people wait",
        places("available"),
        places("held") + places("pinned"),
        places("sold"),
    );
    let seconds = seconds(before, now);
    let doors = Doors::between(&pairs(before, now), seconds);
    let millis = |time: Option<f64>| {
        time.map_or("-".to_owned(), |time| match time.is_finite() {
            true => format!("{:.0} ms", time * 1e3),
            false => "more than can be told".to_owned(),
        })
    };
    let _ = writeln!(
        text,
        "reserve {:.0}/s ({:.0}/s granted), p50 within {}, p99 within {}; pay {:.0}/s",
        doors.reserves_per_s,
        doors.granted_per_s,
        millis(doors.reserve_p50_s),
        millis(doors.reserve_p99_s),
        doors.pays_per_s,
    );
}

fn nodes(text: &mut String, before: &Look, now: &Look) {
    let _ = writeln!(
        text,
        "\n node  release   leads  requests/s  shed/s  syncs/s     lag     age  admin"
    );
    let seconds = seconds(before, now);
    let committed = committed(now);
    for (index, (address, told)) in now.nodes.iter().enumerate() {
        let Some(told) = told else {
            let _ = writeln!(text, "    -  no answer{:>53}  {address}", "");
            continue;
        };
        let rate = |name: &str| {
            let count = |told: &Told| told.scrape.sum(name, &[]);
            let earlier = before.nodes.get(index).and_then(|(_, told)| told.as_ref());
            earlier.map_or(0.0, |earlier| {
                (count(told) - count(earlier)).max(0.0) / seconds
            })
        };
        let behind = told.status.groups.iter().map(|group| {
            let newest = committed.get(&group.group).copied().unwrap_or(0);
            newest.saturating_sub(group.applied)
        });
        let ages = told
            .scrape
            .by_number("usher_raft_age_seconds", "group", &[]);
        let leads = told
            .status
            .groups
            .iter()
            .filter(|group| group.role == "leader");
        let _ = writeln!(
            text,
            "{:>5}  {:<8}  {:>5}  {:>10.0}  {:>6.0}  {:>7.0}  {:>6}  {:>4.1} s  {address}",
            told.status.node_id,
            told.status.version,
            leads.count(),
            rate("usher_api_requests_total"),
            rate("usher_api_shed_total"),
            rate("usher_wal_syncs_total"),
            behind.max().unwrap_or(0),
            ages.values().copied().fold(0.0, f64::max),
        );
    }
}

fn shards(text: &mut String, before: &Look, now: &Look) {
    let _ = writeln!(
        text,
        "\ngroup  leader  term  voters      applied  commands/s  waiting     held     sold  owed"
    );
    let seconds = seconds(before, now);
    let commands = now.of_shards("usher_ledger_commands_total", &[]);
    let earlier = before.of_shards("usher_ledger_commands_total", &[]);
    let waiting = now.of_shards("usher_ledger_people_waiting", &[]);
    let held = now.of_shards("usher_ledger_places", &[("state", "held")]);
    let sold = now.of_shards("usher_ledger_places", &[("state", "sold")]);
    let messages = now.of_shards("usher_ledger_messages_owed", &[]);
    let payments = now.of_shards("usher_ledger_payments_owed", &[]);
    let (committed, voters) = (committed(now), voters(now));
    for (group, (term, leader)) in leaders(now) {
        let of = |numbers: &BTreeMap<u32, f64>| numbers.get(&group).copied().unwrap_or(0.0);
        let leader = leader.map_or("none".to_owned(), |leader| leader.to_string());
        let _ = writeln!(
            text,
            "{group:>5}  {leader:>6}  {term:>4}  {:<10}  {:>7}  {:>10.0}  {:>7}  {:>7}  {:>7}  {:>4}",
            voters.get(&group).map_or("", String::as_str),
            committed.get(&group).copied().unwrap_or(0),
            (of(&commands) - of(&earlier)).max(0.0) / seconds,
            of(&waiting),
            of(&held),
            of(&sold),
            of(&messages) + of(&payments),
        );
    }
}

fn seconds(before: &Look, now: &Look) -> f64 {
    (now.at - before.at).as_secs_f64().max(1e-3)
}

/// For each group the highest term that anybody knows of, and who is said to lead in it.
fn leaders(now: &Look) -> BTreeMap<u32, (u64, Option<u64>)> {
    let mut leaders = BTreeMap::new();
    for group in now.told().flat_map(|told| &told.status.groups) {
        let said = (group.term, group.leader);
        let known = leaders.entry(group.group).or_insert(said);
        *known = (*known).max(said);
    }
    leaders
}

fn committed(now: &Look) -> BTreeMap<u32, u64> {
    let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
    for group in now.told().flat_map(|told| &told.status.groups) {
        let known = newest.entry(group.group).or_default();
        *known = (*known).max(group.committed);
    }
    newest
}

fn voters(now: &Look) -> BTreeMap<u32, String> {
    let groups = now.told().flat_map(|told| &told.status.groups);
    let voters = groups.map(|group| {
        let voters = group.voters.iter().map(ToString::to_string);
        (group.group, voters.collect::<Vec<_>>().join(","))
    });
    voters.collect()
}
