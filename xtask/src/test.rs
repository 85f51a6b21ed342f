//! `cargo xtask test`: all that `.ci/run` asks for, in the order in which it fails fastest.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::run::{cargo, check};
use crate::sim;

/// See [`crate::Command::Test`].
#[derive(clap::Args)]
pub struct Args {
    /// Seeds the simulator runs, ...
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// ... or minutes it may take for them, whichever is over first.
    #[arg(long, default_value_t = 8)]
    minutes: u64,
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
    sim::build(args.seeds)?;
    sim::test(args.seeds, args.minutes)?;
    tests()
}

/// Runs all tests and closes with one line that counts them: cargo itself closes with the last of
/// many summaries, which may well be that of a crate without any.
fn tests() -> Result<(), String> {
    let mut cargo = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo test: {error}"))?;
    let lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
    let mut counts = [0; 3];
    for line in lines {
        let line = line.map_err(|error| format!("cargo test: {error}"))?;
        println!("{line}");
        for (count, more) in counts.iter_mut().zip(summary(&line).unwrap_or_default()) {
            *count += more;
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cargo test: {error}"))?;
    let [passed, failed, ignored] = counts;
    println!("{passed} passed, {failed} failed, {ignored} skipped");
    match status.success() && passed > 0 {
        true => Ok(()),
        false => Err(format!("cargo test ended with {status}")),
    }
}

/// Passed, failed and ignored of a line like `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn summary(line: &str) -> Option<[u64; 3]> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = counts
        .split("; ")
        .map(|count| count.split(' ').next()?.parse().ok());
    Some([counts.next()??, counts.next()??, counts.next()??])
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn a_summary_line_is_counted_and_others_are_not() {
        let line =
            "test result: FAILED. 39 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(summary(line), Some([39, 2, 1]));
        assert_eq!(summary("test seats::tests::sold_once ... ok"), None);
        assert_eq!(summary("test result: ok. many passed"), None);
    }
}
