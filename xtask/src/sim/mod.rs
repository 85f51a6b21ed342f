//! The simulator's runner. One process a seed: a second simulation inside one process may not
//! repeat (tokio and futures seed hidden generators from process-wide counters).

mod process;
mod regressions;
mod shrink;
mod steps;
mod sweep;
mod teeth;
mod trace;

use std::path::PathBuf;

use crate::run::check;
use process::{commit, planted_plans, sim, simulate};

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
        #[arg(default_value_t = 100)]
        seeds: u64,
        /// The same, by name.
        #[arg(long = "seeds", value_name = "SEEDS")]
        named: Option<u64>,
        /// The first one.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// No more seeds after so many minutes.
        #[arg(long)]
        minutes: Option<u64>,
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
    /// Runs each of N seeds in two processes and compares what they log, line by line.
    Meta(trace::Args),
    /// Makes a failing plan as small as it gets while the same property fails, and keeps it in
    /// `regressions/`.
    Shrink(shrink::Args),
    /// Runs every plan in `regressions/` again.
    Regressions,
}

impl Args {
    /// About how many runs this will take.
    fn runs(&self) -> u64 {
        match &self.what {
            Some(What::Sweep { seeds, named, .. }) => named.unwrap_or(*seeds),
            Some(What::Teeth(args)) => args.runs(),
            // A run or two, or a hundred.
            _ => 1,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    build(args.runs())?;
    match (&args.what, args.seed) {
        (
            Some(What::Sweep {
                seeds,
                named,
                from,
                minutes,
            }),
            _,
        ) => sweep::run(*from, named.unwrap_or(*seeds), *minutes),
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
        (Some(What::Meta(args)), _) => trace::run(args),
        (Some(What::Shrink(args)), _) => shrink::run(args),
        (Some(What::Regressions), _) => regressions::run(),
        (None, seed) => {
            println!("commit {}", commit());
            check(simulate("run", seed.unwrap_or(1)))
        }
    }
}

/// What every change has to pass: equal traces, old failures, and a part of the sweep that is
/// bounded in seeds and in minutes.
pub fn test(seeds: u64, minutes: u64) -> Result<(), String> {
    planted_plans()?;
    trace::compare(1, 2, "debug")?;
    regressions::run()?;
    sweep::run(1, seeds, Some(minutes))
}
