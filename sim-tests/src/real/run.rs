//! One run: sales and blows together; then fair weather, the end of all sales, the verdict; then a
//! last power cut, and the verdict again; at last `usher audit` over what each node left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use raft_node::platform::Platform;
use server::audit_dir;
use server::demo::children::Error;
use tokio::task::JoinHandle;

use super::door::Doors;
use super::evidence::{Witnesses, gather};
use super::holds;
use super::machine::{Machine, Setup};
use super::plan::{Blow, NODES, Strike, blows};
use super::sales::Sales;
use crate::checker::{self, Evidence, Violation};
use crate::fault::Target;
use crate::history::Told;

/// How long the cluster may take after a blow until somebody is told "yes" again, in looks: a
/// machine that stands still for a minute has not made the cluster late.
const YES_WITHIN_LOOKS: u64 = 3_000;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long people may take to go home once faults have ended.
const HOME_WITHIN: Duration = Duration::from_secs(180);
/// How long a healed cluster may take until nothing is in doubt or held any more, in looks.
const SETTLE_WITHIN_LOOKS: u64 = 300;
/// Between two such looks, each of which takes its time.
const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(500);
/// Blows between two lines of progress.
const LINE_EVERY: usize = 10;

/// What to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the plan comes from.
    pub seed: u64,
    /// Loops in which one node or two are killed.
    pub kills: u64,
    /// Loops in which all are.
    pub power_cuts: u64,
    /// The nodes.
    pub setup: Setup,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Promises broken; none, one hopes.
    pub violations: Vec<Violation>,
    /// What struck.
    pub faults: BTreeMap<String, u64>,
    /// Loops that were done.
    pub blows: usize,
    /// Time from the first sale to the verdict.
    pub took: Duration,
    /// Events.
    pub sales: usize,
    /// "Yes" answers, by kind: held, paid, given back.
    pub yes: [usize; 3],
    /// Requests whose outcome nobody learned at first.
    pub unknown: u64,
    /// Orders paid in the end.
    pub paid: usize,
    /// Seats sold in the end.
    pub sold: u64,
}

/// Runs it. `say` gets lines of progress.
pub async fn run(order: &Order, say: &dyn Fn(&str)) -> Result<Verdict, Error> {
    let platform = Platform::os(&order.setup.dir).map_err(|source| Error::File {
        path: order.setup.dir.clone(),
        source,
    })?;
    let mut machine = Machine::start(&order.setup, order.seed).await?;
    let doors = Doors::new(machine.cluster.doors(), platform.clock.clone());
    let sales = Sales::new(order.seed, doors.clone());
    let selling = tokio::spawn(sales.clone().run());
    say("the cluster stands; sales begin");

    let mut run = Run {
        doors,
        verdict: Verdict::default(),
        sales,
    };
    let plan = blows(order.seed, order.kills, order.power_cuts);
    let done = run.suffer(&mut machine, &plan, say).await;
    if let Err(error) = &done {
        run.broken("never_falls_over", error.to_string());
    } else {
        machine.links.heal();
        say("faults have ended; the last sales go on");
        run.judge(&mut machine, selling, say).await?;
    }
    Ok(run.finish())
}

struct Run {
    doors: Arc<Doors>,
    verdict: Verdict,
    sales: Arc<Sales>,
}

impl Run {
    fn broken(&mut self, property: &'static str, found: String) {
        self.verdict.violations.push(Violation { property, found });
    }

    fn count(&mut self, what: &str) {
        *self.verdict.faults.entry(what.to_owned()).or_default() += 1;
    }

    /// All blows, one after the other.
    async fn suffer(
        &mut self,
        machine: &mut Machine,
        plan: &[Blow],
        say: &dyn Fn(&str),
    ) -> Result<(), Error> {
        self.await_yes(0).await;
        for (number, blow) in plan.iter().enumerate() {
            self.strike(machine, blow).await?;
            self.verdict.blows = number + 1;
            if self.verdict.blows.is_multiple_of(LINE_EVERY) {
                say(&self.progress(plan.len()));
            }
            if !self.verdict.violations.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn strike(&mut self, machine: &mut Machine, blow: &Blow) -> Result<(), Error> {
        machine.cluster.check_running()?;
        let victims = self.victims(machine, &blow.strike).await;
        let until = blow.gust.as_ref().map(|gust| {
            machine.links.blow(gust);
            self.count(gust.kind.name());
            self.doors.elapsed() + Duration::from_millis(gust.for_ms)
        });
        let mut stalled = None;
        if let Some(stall) = blow.stall {
            let node = machine.find(stall.node).await;
            if !victims.contains(&node) {
                let stall = machine.stall(node, stall.for_ms);
                stalled = stall.map_err(|source| Error::Spawn {
                    what: "kill -STOP".to_owned(),
                    source,
                })?;
                self.count("SIGSTOP");
            }
        }
        tokio::time::sleep(Duration::from_millis(blow.after_ms)).await;
        machine.kill(&victims);
        tokio::time::sleep(Duration::from_millis(blow.down_ms)).await;
        let before = self.doors.yes();
        for node in &victims {
            machine.restart(*node)?;
        }
        if let Some(mut helper) = stalled {
            // It ends by itself.
            let _ = helper.wait().await;
        }
        machine.await_alive().await?;
        if let Some(until) = until {
            let left = until.saturating_sub(self.doors.elapsed());
            tokio::time::sleep(left).await;
            machine.links.heal();
        }
        if blow.until_yes {
            self.await_yes(before).await;
        }
        Ok(())
    }

    /// Who dies; counts them.
    async fn victims(&mut self, machine: &Machine, strike: &Strike) -> Vec<usize> {
        let Strike::Kill(targets) = strike else {
            self.count("power cut of all nodes");
            return (0..NODES).collect();
        };
        self.count("kill -9 loop");
        let mut victims = Vec::new();
        for target in targets {
            let node = machine.find(*target).await;
            if !victims.contains(&node) {
                victims.push(node);
            }
            if matches!(target, Target::Leader(_)) {
                self.count("kill -9 aimed at a leader");
            }
        }
        if victims.len() > 1 {
            self.count("two killed at once");
        }
        victims
    }

    /// Until more people than that were told "yes".
    async fn await_yes(&mut self, before: u64) {
        for _ in 0..YES_WITHIN_LOOKS {
            if self.doors.yes() > before {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let what = "nobody was told yes within a minute after a blow";
        self.broken("heals", what.to_owned());
    }

    /// Everybody goes home; the verdict; a last power cut; the verdict again.
    async fn judge(
        &mut self,
        machine: &mut Machine,
        selling: JoinHandle<()>,
        say: &dyn Fn(&str),
    ) -> Result<(), Error> {
        self.sales.close();
        match tokio::time::timeout(HOME_WITHIN, selling).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.broken("people", error.to_string()),
            Err(_) => self.broken("heals", "people were not served in fair weather".to_owned()),
        }
        self.judge_holds();
        say("everybody went home; settling");
        let before = self.verdict_now(machine).await;
        say("a last power cut");
        machine.kill(&[0, 1, 2]);
        for node in 0..NODES {
            machine.restart(node)?;
        }
        machine.await_alive().await?;
        let after = self.verdict_now(machine).await;
        if before != after {
            let found = format!("before the last power cut {before:?}, after it {after:?}");
            self.broken("acked_is_durable", found);
        }
        machine.kill(&[0, 1, 2]);
        say("replaying each node's log");
        for node in &machine.cluster.nodes {
            match audit_dir::audit(&node.dir).await {
                Ok(report) => {
                    for (promise, found) in report.broken {
                        self.broken(
                            "usher_audit",
                            format!("node {}: {promise}: {found}", node.id),
                        );
                    }
                }
                Err(error) => self.broken("usher_audit", format!("node {}: {error}", node.id)),
            }
        }
        Ok(())
    }

    /// No hold was denied before its time.
    fn judge_holds(&mut self) {
        let began_ms = self.doors.now_ms() - self.doors.elapsed().as_millis() as u64;
        let sales = self.sales.held();
        let early = sales
            .iter()
            .flat_map(|sale| holds::check(&sale.history, began_ms));
        let early: Vec<String> = early.collect();
        drop(sales);
        for found in early {
            self.broken("hold_respected", found);
        }
    }

    /// Waits until nothing is under way, checks, and says how much is paid and sold.
    async fn verdict_now(&mut self, machine: &mut Machine) -> (usize, u64) {
        let Some(evidence) = self.settle(machine).await else {
            return (0, 0);
        };
        let violations = checker::check(&evidence);
        self.verdict.violations.extend(violations);
        let orders = evidence.shards.values().flat_map(|shard| &shard.orders);
        let paid = orders.filter(|order| order.phase == "paid").count();
        let sections = evidence.shards.values().flat_map(|shard| &shard.sections);
        let sold = sections.map(|section| u64::from(section.sold)).sum();
        (self.verdict.paid, self.verdict.sold) = (paid, sold);
        (paid, sold)
    }

    async fn settle(&mut self, machine: &mut Machine) -> Option<Evidence> {
        let mut why = String::new();
        for _ in 0..SETTLE_WITHIN_LOOKS {
            tokio::time::sleep(SETTLE_LOOK_EVERY).await;
            if let Err(error) = machine.cluster.check_running() {
                self.broken("never_falls_over", error.to_string());
                return None;
            }
            let witnesses = Witnesses {
                admins: machine.cluster.admins(),
                provider: machine.cluster.provider.address,
                doors: &self.doors,
            };
            let sales = std::mem::take(&mut *self.sales.held());
            let gathered = gather(&witnesses, &sales).await;
            *self.sales.held() = sales;
            match gathered {
                Ok(evidence) => return Some(evidence),
                Err(unsettled) => why = unsettled,
            }
        }
        self.broken("heals", format!("a healed cluster did not settle: {why}"));
        None
    }

    fn progress(&self, all: usize) -> String {
        let count = |name| self.verdict.faults.get(name).copied().unwrap_or(0);
        format!(
            "{}/{all}: {} kills, {} power cuts; {} sales, {} yes, {} unknown",
            self.verdict.blows,
            count("kill -9 loop"),
            count("power cut of all nodes"),
            self.sales.held().len(),
            self.doors.yes(),
            self.doors.unknown()
        )
    }

    fn finish(mut self) -> Verdict {
        self.verdict.took = self.doors.elapsed();
        self.verdict.unknown = self.doors.unknown();
        let sales = self.sales.held();
        self.verdict.sales = sales.len();
        for yes in sales.iter().flat_map(super::sales::Sale::yes) {
            let kind = match yes.told {
                Told::Held => 0,
                Told::Paid => 1,
                Told::Cancelled => 2,
                Told::RefundAsked => continue,
            };
            self.verdict.yes[kind] += 1;
        }
        drop(sales);
        self.verdict
    }
}
