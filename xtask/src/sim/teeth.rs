//! `cargo xtask sim teeth`: plants each bug until a checker catches it, and says which did and
//! after how many seeds. A bug nobody catches is a hole in the proof.
//!
//! Every fifth run is one with crashes aimed at orders across shards: what the one kind rarely
//! brings about, the other does. A panic shows a bug too, but says little of what it would have
//! done to people; so the hunt goes on for a while, for a checker that names the promise.

use std::process::Command;

use probes::Bug;

use super::process::{Report, on_all_cores, planted_plans, sim};

/// One run of so many has aimed crashes.
const AIMED_EVERY: u64 = 5;
/// Bugs of plans are judged where plans are made, all by one test.
const PLANS: &str = "members";
/// Runs after a panic in which a checker may still name the broken promise.
const AFTER_PANIC: u64 = 10;

/// See [`crate::sim::Args`].
#[derive(clap::Args)]
pub struct Args {
    /// Only these bugs.
    #[arg(long)]
    bug: Vec<String>,
    /// Seeds that a bug may stay hidden for.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
}

impl Args {
    /// At most so many runs; most bugs are caught long before.
    pub fn runs(&self) -> u64 {
        let bugs = match self.bug.len() as u64 {
            0 => Bug::ALL.len() as u64,
            some => some,
        };
        bugs * self.seeds
    }
}

/// What became of one bug.
#[derive(Default)]
struct Hunt {
    /// The first run in which a checker caught it, and how.
    named: Option<(Run, Catch)>,
    /// The first that died of it.
    panicked: Option<(Run, Catch)>,
    /// Runs in which the bug could act at all.
    struck: u64,
}

/// One run of a hunt, by number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Run(u64);

impl Run {
    fn is_aimed(self) -> bool {
        self.0 % AIMED_EVERY == AIMED_EVERY - 1
    }

    fn kind(self) -> &'static str {
        if self.is_aimed() { "steps" } else { "run" }
    }

    fn seed(self, from: u64) -> u64 {
        let aimed = self.0 / AIMED_EVERY;
        from + if self.is_aimed() {
            aimed
        } else {
            self.0 - aimed
        }
    }

    fn command(self, from: u64, bug: Bug) -> Command {
        let seed = self.seed(from).to_string();
        sim(&[self.kind(), "--seed", &seed, "--bug", bug.name()])
    }
}

/// What saw a bug.
enum Catch {
    /// These properties were found broken.
    Checkers(Vec<String>),
    /// An invariant that every ledger checks after each command.
    Invariant(String),
    /// Some assertion, before anybody could judge.
    Panic(String),
    /// The run did not end.
    Endless,
}

impl Catch {
    fn of(report: &Report) -> Self {
        let mut broken: Vec<_> = report.broken().into_iter().map(str::to_owned).collect();
        broken.sort_unstable();
        broken.dedup();
        if broken != ["panic"] {
            return Self::Checkers(broken);
        }
        // The last one: some panics before it were planned.
        let Some((_, last)) = report.text.rsplit_once(" panicked at ") else {
            return Self::Endless;
        };
        let said = last.lines().nth(1).unwrap_or(last);
        if let Some(invariant) = said.strip_prefix("a ledger's invariant is broken: ") {
            let name = invariant.split(": ").next().unwrap_or(invariant);
            return Self::Invariant(name.to_owned());
        }
        Self::Panic(said.chars().take(60).collect())
    }

    fn text(&self) -> String {
        match self {
            Self::Checkers(names) => names.join(", "),
            Self::Invariant(name) => format!("panic: the ledger's invariant \"{name}\""),
            Self::Panic(said) => format!("panic: {}", said.replace('|', "/")),
            Self::Endless => "a run that does not end".to_owned(),
        }
    }

    fn is_panic(&self) -> bool {
        matches!(self, Self::Invariant(_) | Self::Panic(_))
    }
}

impl Hunt {
    /// Whether this run may still tell something new.
    fn wants(&self, run: Run, seeds: u64) -> bool {
        let end = match &self.panicked {
            Some((died, _)) => seeds.min(died.0 + 1 + AFTER_PANIC),
            None => seeds,
        };
        self.named.is_none() && run.0 < end
    }

    fn add(&mut self, run: Run, report: &Report) {
        let struck = report.lines("struck").any(|count| count != "0");
        self.struck += u64::from(struck || !report.held);
        if report.held {
            return;
        }
        let catch = Catch::of(report);
        let known = match catch.is_panic() {
            true => &mut self.panicked,
            false => &mut self.named,
        };
        // Runs end in any order: the first in order counts.
        if known.as_ref().is_none_or(|(other, _)| run < *other) {
            *known = Some((run, catch));
        }
    }

    /// Both ways in which it was caught, the named one first.
    fn catches(&self) -> impl Iterator<Item = &(Run, Catch)> {
        [&self.named, &self.panicked].into_iter().flatten()
    }

    /// Runs until it was caught, by whatever.
    fn seeds(&self) -> Option<u64> {
        self.catches().map(|(run, _)| run.0 + 1).min()
    }
}

/// What became of all of them.
#[derive(Default)]
struct Sum {
    bugs: usize,
    missed: Vec<&'static str>,
    /// Seeds needed for each that was caught.
    needed: Vec<u64>,
    panics: u64,
    invariants: u64,
}

impl Sum {
    fn add(&mut self, bug: Bug, hunt: &Hunt) {
        self.bugs += 1;
        match hunt.seeds() {
            Some(seeds) => self.needed.push(seeds),
            None => self.missed.push(bug.name()),
        }
        if let (None, Some((_, panic))) = (&hunt.named, &hunt.panicked) {
            self.panics += 1;
            self.invariants += u64::from(matches!(panic, Catch::Invariant(_)));
        }
    }

    fn print(&mut self) {
        self.needed.sort_unstable();
        let [median, most, all] = [50, 90, 100].map(|percent| quantile(&self.needed, percent));
        println!("seeds needed: median {median}, 90 % within {most}, all within {all}");
        println!(
            "teeth: {} of {} caught, {} within 200 seeds, {} by panic alone ({} of these by a \
             named invariant of the ledger)",
            self.needed.len(),
            self.bugs,
            self.needed.iter().filter(|seeds| **seeds <= 200).count(),
            self.panics,
            self.invariants,
        );
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    if args.bug.is_empty() {
        planted_plans()?;
    }
    let mut sum = Sum::default();
    let mut area = "";
    println!("| | bug | what is done wrongly | seeds | caught by |\n|---|---|---|--:|---|");
    for bug in chosen(&args.bug)? {
        let hunt = hunt(bug, args)?;
        let heading = if bug.area() == area { "" } else { bug.area() };
        area = bug.area();
        println!("| {heading} {}", row(bug, &hunt, args));
        sum.add(bug, &hunt);
    }
    sum.print();
    match sum.missed.is_empty() {
        true => Ok(()),
        false => Err(format!("not caught: {}", sum.missed.join(", "))),
    }
}

/// A line of the table, but for its first cell.
fn row(bug: Bug, hunt: &Hunt, args: &Args) -> String {
    let catch = |(run, catch): &(Run, Catch)| {
        let (kind, seed) = (run.kind(), run.seed(args.from));
        format!("{} ({kind} {seed})", catch.text())
    };
    let (name, story) = (bug.name(), bug.story().trim());
    match hunt.seeds() {
        Some(seeds) => {
            let by: Vec<_> = hunt.catches().map(catch).collect();
            format!("| `{name}` | {story} | {seeds} | {} |", by.join("; "))
        }
        None => {
            let (seeds, struck) = (args.seeds, hunt.struck);
            format!("| `{name}` | {story} | > {seeds} | **nobody** (struck in {struck} runs) |")
        }
    }
}

fn chosen(names: &[String]) -> Result<Vec<Bug>, String> {
    if names.is_empty() {
        let in_worlds = Bug::ALL.iter().filter(|bug| bug.area() != PLANS);
        return Ok(in_worlds.copied().collect());
    }
    let find = |name: &String| Bug::find(name).ok_or(format!("no bug is called {name}"));
    names.iter().map(find).collect()
}

/// The value below or at which so many percent of them lie; 0 of none.
fn quantile(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied().unwrap_or(0)
}

fn hunt(bug: Bug, args: &Args) -> Result<Hunt, String> {
    let mut hunt = Hunt::default();
    let wanted = |number, hunt: &Hunt| hunt.wants(Run(number), args.seeds);
    let command = |number| Run(number).command(args.from, bug);
    let add = |hunt: &mut Hunt, number, report: Report| hunt.add(Run(number), &report);
    on_all_cores(0, &mut hunt, wanted, command, add)?;
    Ok(hunt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str) -> Report {
        Report {
            text: text.to_owned(),
            held: false,
        }
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let seeds = [1, 2, 3, 40];
        let quantiles = [50, 90, 100].map(|percent| quantile(&seeds, percent));
        assert_eq!(quantiles, [2, 40, 40]);
        assert_eq!(quantile(&[], 50), 0);
    }

    #[test]
    fn every_fifth_run_is_aimed_and_no_seed_is_left_out() {
        let runs = [0, 3, 4, 5, 9].map(|number| (Run(number).kind(), Run(number).seed(7)));
        let expected = [
            ("run", 7),
            ("run", 10),
            ("steps", 7),
            ("run", 11),
            ("steps", 8),
        ];
        assert_eq!(runs, expected);
    }

    #[test]
    fn a_hunt_goes_on_after_a_panic_for_a_while_and_a_checkers_word_ends_it() {
        let mut hunt = Hunt::default();
        hunt.add(Run(0), &failed("thread 'main' panicked at a.rs:1:2:\nwhat"));
        assert!(hunt.wants(Run(AFTER_PANIC), 200) && !hunt.wants(Run(AFTER_PANIC + 1), 200));
        assert!(!hunt.wants(Run(5), 5));
        hunt.add(Run(3), &failed("BROKEN heals: it did not"));
        assert!(!hunt.wants(Run(4), 200));
        assert_eq!(hunt.seeds(), Some(1));
        let (run, named) = hunt.named.expect("a checker spoke");
        assert_eq!((run, named.text()), (Run(3), "heals".to_owned()));
    }

    #[test]
    fn an_invariant_of_the_ledger_is_told_from_any_other_panic() {
        let told = |text: &str| {
            let text = format!("thread 'main' panicked at a.rs:1:2:\n{text}\nnote: more");
            Catch::of(&failed(&text)).text()
        };
        let invariant = told("a ledger's invariant is broken: a seat is one: [3]");
        assert_eq!(invariant, "panic: the ledger's invariant \"a seat is one\"");
        assert_eq!(told("index out of bounds"), "panic: index out of bounds");
    }
}
