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
    let mut real = Command::new(target().join("release/real"));
    real.current_dir(root())
        .arg("--dir")
        .arg(target().join("real"));
    let numbers = [
        ("--kills", args.kills),
        ("--power-cuts", args.power_cuts),
        ("--seed", args.seed),
    ];
    for (name, number) in numbers {
        real.arg(name).arg(number.to_string());
    }
    if args.lying_disks {
        real.arg("--lying-disks");
    }
    check(real)
}
