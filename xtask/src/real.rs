//! `cargo xtask real`: the second tier, real nodes that are killed while people buy.

use std::process::Command;

use crate::run::{cargo, check, root, target};

/// See [`crate::Command::Real`].
#[derive(clap::Args)]
pub struct Args {
    /// Loops in which one node or two are killed with SIGKILL.
    #[arg(long, default_value_t = 30)]
    kills: u64,
    /// Loops in which all nodes are killed at once, losing what was not synced.
    #[arg(long, default_value_t = 6)]
    power_cuts: u64,
    /// Where the plan comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Disks that lie about syncs; such a run has to fail.
    #[arg(long)]
    lying_disks: bool,
}

/// Builds the program and the tier, and runs it.
pub fn run(args: &Args) -> Result<(), String> {
    let build = ["build", "--locked", "--release"];
    let packages = ["--package", "server", "--package", "sim-tests"];
    check(cargo(&[&build[..], &packages[..]].concat()))?;
    let mut real = tier("release", args.kills, args.power_cuts, args.seed);
    if args.lying_disks {
        real.arg("--lying-disks");
    }
    check(real)
}

/// A few blows with programs that are built already: well under a minute.
pub fn bounded(profile: &str) -> Result<(), String> {
    check(tier(profile, 6, 2, 1))
}

fn tier(profile: &str, kills: u64, power_cuts: u64, seed: u64) -> Command {
    let mut real = Command::new(target().join(profile).join("real"));
    real.current_dir(root())
        .arg("--dir")
        .arg(target().join("real"));
    let numbers = [
        ("--kills", kills),
        ("--power-cuts", power_cuts),
        ("--seed", seed),
    ];
    for (name, number) in numbers {
        real.arg(name).arg(number.to_string());
    }
    real
}
