//! `cargo xtask sim teeth`: plants each bug until a checker catches it, and says which did and
//! after how many seeds. A bug nobody catches is a hole in the proof.
//!
//! Ordinary runs and runs with crashes aimed at orders across shards take turns: what the one kind
//! rarely brings about, the other does.

use std::process::Command;

use probes::Bug;

use super::process::{Report, on_all_cores, sim};

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

/// What became of one bug.
#[derive(Default)]
struct Hunt {
    /// The first run that caught it, and how.
    caught: Option<(Run, Catch)>,
    /// Runs in which the bug could act at all.
    struck: u64,
}

/// One run of a hunt, by number from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run(u64);

impl Run {
    fn kind(self) -> &'static str {
        ["run", "steps"][(self.0 % 2) as usize]
    }

    fn seed(self, from: u64) -> u64 {
        from + self.0 / 2
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
        let mut lines = report.text.lines();
        let Some(at) = lines.find(|line| line.contains(" panicked at ")) else {
            return Self::Endless;
        };
        let said = lines.next().unwrap_or(at);
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

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    let bugs = chosen(&args.bug)?;
    println!("| | bug | what is done wrongly | seeds | caught by |\n|---|---|---|--:|---|");
    let (mut missed, mut needed) = (Vec::new(), Vec::new());
    let (mut panics, mut invariants) = (0, 0);
    let mut area = "";
    for &bug in &bugs {
        let hunt = hunt(bug, args)?;
        let first_of_area = std::mem::replace(&mut area, bug.area()) != area;
        let heading = if first_of_area { area } else { "" };
        let (seeds, by) = match &hunt.caught {
            Some((run, catch)) => {
                needed.push(run.0 + 1);
                panics += u64::from(catch.is_panic());
                invariants += u64::from(matches!(catch, Catch::Invariant(_)));
                let by = format!("{} ({} {})", catch.text(), run.kind(), run.seed(args.from));
                (run.0 + 1, by)
            }
            None => {
                missed.push(bug.name());
                (
                    args.seeds,
                    format!("**nobody** (struck in {} runs)", hunt.struck),
                )
            }
        };
        let (name, story) = (bug.name(), bug.story().trim());
        println!("| {heading} | `{name}` | {story} | {seeds} | {by} |");
    }
    needed.sort_unstable();
    println!(
        "seeds needed: median {}, 90 % within {}, at most {}",
        quantile(&needed, 50),
        quantile(&needed, 90),
        quantile(&needed, 100),
    );
    println!(
        "teeth: {} of {} caught, {} within 200 seeds, {panics} by panic alone ({invariants} of \
         these by a named invariant of the ledger)",
        needed.len(),
        bugs.len(),
        needed.iter().filter(|seeds| **seeds <= 200).count(),
    );
    match missed.is_empty() {
        true => Ok(()),
        false => Err(format!("not caught: {}", missed.join(", "))),
    }
}

fn chosen(names: &[String]) -> Result<Vec<Bug>, String> {
    if names.is_empty() {
        return Ok(Bug::ALL.to_vec());
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
    let wanted = |number, hunt: &Hunt| hunt.caught.is_none() && number < args.seeds;
    let command = |number| Run(number).command(args.from, bug);
    let add = |hunt: &mut Hunt, number, report: Report| {
        let struck = report.lines("struck").any(|count| count != "0");
        hunt.struck += u64::from(struck || !report.held);
        let run = Run(number);
        // Runs end in any order: the first in order counts.
        let earlier = hunt.caught.as_ref().is_none_or(|(known, _)| run < *known);
        if !report.held && earlier {
            hunt.caught = Some((run, Catch::of(&report)));
        }
    };
    on_all_cores(0, &mut hunt, wanted, command, add)?;
    Ok(hunt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let seeds = [1, 2, 3, 40];
        assert_eq!(
            [50, 90, 100].map(|percent| quantile(&seeds, percent)),
            [2, 40, 40]
        );
        assert_eq!(quantile(&[], 50), 0);
    }

    #[test]
    fn kinds_take_turns_over_the_same_seeds() {
        let runs = [0, 1, 2, 3].map(|number| (Run(number).kind(), Run(number).seed(7)));
        assert_eq!(runs, [("run", 7), ("steps", 7), ("run", 8), ("steps", 8)]);
    }

    #[test]
    fn an_invariant_of_the_ledger_is_told_from_any_other_panic() {
        let told = |text: &str| {
            let text = format!("thread 'main' panicked at a.rs:1:2:\n{text}\nnote: more");
            Catch::of(&Report { text, held: false }).text()
        };
        let invariant = told("a ledger's invariant is broken: a seat is one: [3]");
        assert_eq!(invariant, "panic: the ledger's invariant \"a seat is one\"");
        assert_eq!(told("index out of bounds"), "panic: index out of bounds");
    }
}
