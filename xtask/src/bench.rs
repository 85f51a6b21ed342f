//! `cargo xtask bench`: the numbers of `bench/README.md`.

use crate::run::{cargo, check};

/// Runs the benchmarks, one after the other.
pub fn run() -> Result<(), String> {
    check(cargo(&["bench", "--package", "ledger"]))?;
    check(cargo(&[
        "run",
        "--release",
        "--package",
        "server",
        "--",
        "bench",
        "local",
    ]))
}
