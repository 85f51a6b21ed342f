//! The simulator's runner. One process a seed: a second simulation inside one process may not
//! repeat (tokio and futures seed hidden generators from process-wide counters).

mod process;
mod steps;
mod sweep;
mod teeth;

use std::path::PathBuf;

use crate::run::{check, output};
use process::{sim, simulate};

pub use process::build;

/// See [`crate::Command::Sim`].
#[derive(clap::Args)]
pub struct Args {
    /// Runs this seed and prints its report.
    #[arg(long)]
    seed: Option<u64>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand)]
enum What {
    /// Runs seeds 1 to N, one process each, on all cores.
    Sweep {
        /// How many.
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 1)]
        from: u64,
    },
    /// A plan from a file, as `sim plan` writes it.
    Replay {
        /// The file.
        plan: PathBuf,
        /// Another entropy than the plan's own.
        #[arg(long)]
        entropy: Option<u64>,
    },
    /// Prints the plan of a seed, to be edited and replayed.
    Plan {
        /// The seed.
        seed: u64,
    },
    /// Plants every bug of the catalogue until it is caught.
    Teeth(teeth::Args),
    /// Orders across shards, each with a leader's crash aimed between two of its steps: seeds until
    /// so many orders were hit and judged, and a table of what was hit.
    Steps(steps::Args),
    /// Runs each of N seeds in two processes and compares their traces.
    Meta {
        /// How many.
        #[arg(long, default_value_t = 3)]
        seeds: u64,
    },
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    build()?;
    match (&args.what, args.seed) {
        (Some(What::Sweep { seeds, from }), _) => sweep::run(*from, *seeds, true),
        (Some(What::Replay { plan, entropy }), _) => {
            let plan = std::path::absolute(plan).map_err(|error| error.to_string())?;
            let mut command = sim(&["replay", "--plan"]);
            command.arg(plan);
            if let Some(entropy) = entropy {
                command.args(["--entropy", &entropy.to_string()]);
            }
            check(command)
        }
        (Some(What::Plan { seed }), _) => check(sim(&["plan", "--seed", &seed.to_string()])),
        (Some(What::Teeth(args)), _) => teeth::run(args),
        (Some(What::Steps(args)), _) => steps::run(args),
        (Some(What::Meta { seeds }), _) => meta(*seeds),
        (None, seed) => check(simulate("run", seed.unwrap_or(1))),
    }
}

/// A bounded part of the sweep.
pub fn sweep(from: u64, seeds: u64) -> Result<(), String> {
    sweep::run(from, seeds, false)
}

/// Two processes a seed must print the same trace hash.
pub fn meta(seeds: u64) -> Result<(), String> {
    let aimed = (1..=seeds.div_ceil(3)).map(|seed| ("steps", seed));
    for (kind, seed) in (1..=seeds).map(|seed| ("run", seed)).chain(aimed) {
        let hash = || -> Result<String, String> {
            let text = output(simulate(kind, seed))?;
            let line = text.lines().find(|line| line.starts_with("trace "));
            line.map(str::to_owned)
                .ok_or(format!("{kind} {seed} printed no trace hash"))
        };
        let (first, second) = (hash()?, hash()?);
        if first != second {
            return Err(format!(
                "{kind} {seed} is not one run: {first}, then {second}"
            ));
        }
        println!("{kind} {seed}: two processes, one run ({first})");
    }
    Ok(())
}
