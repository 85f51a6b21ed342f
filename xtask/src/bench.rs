//! `cargo xtask bench`: the numbers of `bench/README.md`, from what is shipped.

use crate::run::{cargo, check};

/// Runs the benchmarks, one after the other.
pub fn run() -> Result<(), String> {
    check(cargo(&["bench", "--package", "ledger"]))?;
    check(cargo(&[
        "run",
        "--profile",
        "dist",
        "--package",
        "server",
        "--",
        "bench",
        "local",
    ]))
}
