//! `cargo xtask test`: all that `.ci/run` asks for, in the order in which it fails fastest.

use crate::run::{cargo, check};
use crate::sim;

/// See [`crate::Command::Test`].
#[derive(clap::Args)]
pub struct Args {
    /// Seeds the simulator runs.
    #[arg(long, default_value_t = 12)]
    seeds: u64,
}

/// Runs everything; stops at the first failure.
pub fn run(args: &Args) -> Result<(), String> {
    check(cargo(&["fmt", "--all", "--check"]))?;
    check(cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))?;
    sim::build()?;
    sim::meta(2)?;
    sim::sweep(1, args.seeds)?;
    // Last, so that the runner's own summary closes the output.
    check(cargo(&[
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
    ]))
}
