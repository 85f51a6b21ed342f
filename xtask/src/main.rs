//! The developers' commands: `cargo xtask test | sim | real | upgrade | bench | deb`.

#![expect(
    clippy::print_stdout,
    reason = "the commands report to the one who typed them"
)]

mod bench;
mod deb;
mod real;
mod run;
mod sim;
mod test;
mod upgrade;

use std::process::ExitCode;

use clap::Parser;

/// What every change must pass, and the tools to look closer.
#[derive(Parser)]
#[command(name = "xtask")]
enum Command {
    /// Formatting, clippy, unit and integration tests, the simulator over a few seeds.
    Test(test::Args),
    /// The simulator: one seed, many seeds, or proof that a seed is one run.
    Sim(sim::Args),
    /// Real nodes over real disks, killed again and again while people buy.
    Real(real::Args),
    /// From the release before to this one while a cluster sells.
    Upgrade(upgrade::Args),
    /// Benchmarks: the ledger's, then reserving over HTTP against three nodes.
    Bench,
    /// A Debian package, unpacked and tried.
    Deb(deb::Args),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(args) => test::run(&args),
        Command::Sim(args) => sim::run(&args),
        Command::Real(args) => real::run(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Bench => bench::run(),
        Command::Deb(args) => deb::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xtask: {failed}");
            ExitCode::FAILURE
        }
    }
}
