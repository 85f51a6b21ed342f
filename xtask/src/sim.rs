//! The simulator's runner. One process a seed: a second simulation inside one process may not
//! repeat (tokio and futures seed hidden generators from process-wide counters).

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::run::{cargo, check, output, root};
use crate::steps;

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
        (Some(What::Sweep { seeds, from }), _) => sweep(*from, *seeds),
        (Some(What::Steps(args)), _) => steps::run(args),
        (Some(What::Meta { seeds }), _) => meta(*seeds),
        (None, seed) => check(simulate("run", seed.unwrap_or(1))),
    }
}

// A target directory of its own: `--cfg madsim` changes every crate, and the two builds must not
// throw each other's work away.
fn target() -> PathBuf {
    root().join("target-sim")
}

/// Builds the simulator.
pub fn build() -> Result<(), String> {
    let mut build = cargo(&[
        "build",
        "--locked",
        "--package",
        "sim-tests",
        "--profile",
        "sim",
    ]);
    build
        .env("RUSTFLAGS", "--cfg madsim")
        .env("CARGO_TARGET_DIR", target());
    check(build)
}

/// One run of a kind (`run`, `steps`) in a process of its own.
pub fn simulate(kind: &str, seed: u64) -> Command {
    let mut command = Command::new(target().join("sim/sim"));
    command
        .args([kind, "--seed", &seed.to_string()])
        .current_dir(root());
    command
}

/// Runs seeds from `from` on, a process each, on all cores, as long as the next one is wanted;
/// adds each report to the sum, and prints those of seeds that failed.
pub fn on_all_cores<S: Send>(
    kind: &str,
    from: u64,
    sum: &mut S,
    wanted: impl Fn(u64, &S) -> bool + Sync,
    add: impl Fn(&mut S, u64, Result<String, String>) + Sync,
) {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(sum);
    let locked = || sum.lock().expect("no worker panics holding it");
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if !wanted(seed, &locked()) {
            break;
        }
        let report = output(simulate(kind, seed));
        if let Err(report) = &report {
            println!("seed {seed} FAILED\n{report}");
        }
        add(&mut locked(), seed, report);
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
}

/// Runs seeds on all cores; names every seed that failed and how to repeat it.
pub fn sweep(from: u64, seeds: u64) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "times the processes that simulate, from outside of all of them"
    )]
    let started = Instant::now();
    let mut failed = Vec::new();
    let wanted = |seed, _: &Vec<u64>| seed < from + seeds;
    on_all_cores("run", from, &mut failed, wanted, |failed, seed, report| {
        if report.is_err() {
            failed.push(seed);
        }
    });
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!(
        "simulator: {} passed, {} failed, {:.1} seeds a minute",
        seeds - failed.len() as u64,
        failed.len(),
        seeds as f64 / minutes
    );
    match failed.first() {
        None => Ok(()),
        Some(seed) => Err(format!("repeat one with: cargo xtask sim --seed {seed}")),
    }
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
