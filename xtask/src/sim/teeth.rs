//! `cargo xtask sim teeth`: plants each bug until a checker catches it, and says which did and
//! after how many seeds. A bug nobody catches is a hole in the proof.

use std::collections::BTreeMap;

use super::process::{Report, on_all_cores, sim};

/// See [`crate::sim::Args`].
#[derive(clap::Args)]
pub struct Args {
    /// Only this bug.
    #[arg(long)]
    bug: Option<String>,
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
    /// Seeds run until it was caught.
    seeds: u64,
    /// The seed that caught it, and the properties it saw broken.
    caught: Option<(u64, Vec<String>)>,
    /// Runs in which the bug could act at all.
    struck: u64,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    let bugs = Report::of(sim(&["bugs"]))?.text;
    let bugs: BTreeMap<&str, &str> = bugs
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| args.bug.as_deref().is_none_or(|wanted| wanted == *name))
        .collect();
    if bugs.is_empty() {
        return Err("no bug is called so".to_owned());
    }
    println!("| bug | what is done wrongly | seeds | caught by |\n|---|---|--:|---|");
    let mut missed = Vec::new();
    let mut within_200 = 0;
    for (name, story) in &bugs {
        let hunt = hunt(name, args)?;
        let by = match &hunt.caught {
            Some((seed, by)) => format!("{} (seed {seed})", by.join(", ")),
            None => format!("**nobody** (struck in {} runs)", hunt.struck),
        };
        println!("| `{name}` | {story} | {} | {by} |", hunt.seeds);
        match hunt.caught {
            Some(_) => within_200 += u64::from(hunt.seeds <= 200),
            None => missed.push(*name),
        }
    }
    println!(
        "teeth: {} of {} caught, {within_200} within 200 seeds",
        bugs.len() - missed.len(),
        bugs.len()
    );
    match missed.is_empty() {
        true => Ok(()),
        false => Err(format!("not caught: {}", missed.join(", "))),
    }
}

fn hunt(name: &str, args: &Args) -> Result<Hunt, String> {
    let mut hunt = Hunt::default();
    let wanted = |seed, hunt: &Hunt| hunt.caught.is_none() && seed < args.from + args.seeds;
    let command = |seed: u64| {
        let seed = seed.to_string();
        sim(&["run", "--seed", &seed, "--bug", name])
    };
    let add = |hunt: &mut Hunt, seed, report: Report| {
        hunt.seeds += 1;
        let struck = report.lines("struck").any(|count| count != "0");
        hunt.struck += u64::from(struck || !report.held);
        if report.held || hunt.caught.is_some() {
            return;
        }
        let mut by: Vec<String> = report.broken().into_iter().map(str::to_owned).collect();
        by.sort_unstable();
        by.dedup();
        hunt.caught = Some((seed, by));
    };
    on_all_cores(args.from, &mut hunt, wanted, command, add)?;
    Ok(hunt)
}
