//! `cargo xtask sim meta`: a seed is one run (P10). Two processes, side by side, have to say the
//! same at TRACE level, line by line; the first line that differs is where chance came in.
//!
//! Lines are compared as they come and kept nowhere but for the last few, so a run may say
//! gigabytes.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::process::simulate;

/// Lines shown before the first that differs.
const CONTEXT: usize = 8;
/// A longer line is shown cut.
const SHOWN: usize = 400;

/// See [`crate::sim::Args`].
#[derive(clap::Args)]
pub struct Args {
    /// How many seeds; a third as many of `sim steps` besides.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// What both processes log, as RUST_LOG says it.
    #[arg(long, default_value = "trace")]
    level: String,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    compare(args.from, args.seeds, &args.level)
}

/// Compares seeds from `from` on.
pub fn compare(from: u64, seeds: u64, level: &str) -> Result<(), String> {
    let until = |count| from..from + count;
    let aimed = until(seeds.div_ceil(3)).map(|seed| ("steps", seed));
    for (kind, seed) in until(seeds).map(|seed| ("run", seed)).chain(aimed) {
        let (lines, hash) = one(kind, seed, level)?;
        println!("{kind} {seed}: two processes, one run ({lines} lines of {level}, {hash:016x})");
    }
    Ok(())
}

/// One seed in two processes; how many lines both said, and their hash.
fn one(kind: &str, seed: u64, level: &str) -> Result<(u64, u64), String> {
    let [mut left, mut right] = [talk(kind, seed, level)?, talk(kind, seed, level)?];
    let mut last = VecDeque::new();
    let mut hasher = DefaultHasher::new();
    let mut lines = 0;
    let differ = loop {
        let (mine, yours) = (left.line()?, right.line()?);
        if mine != yours {
            break Some((mine, yours));
        }
        let Some(line) = mine else { break None };
        line.hash(&mut hasher);
        lines += 1;
        if last.len() == CONTEXT {
            last.pop_front();
        }
        last.push_back(line);
    };
    // After a difference nobody reads what else they say.
    let held = left.end(differ.is_some()) & right.end(differ.is_some());
    if let Some((mine, yours)) = differ {
        let context: Vec<String> = last
            .iter()
            .map(|line| format!("  {}", shown(line)))
            .collect();
        let end = "(the end)".to_owned();
        return Err(format!(
            "{kind} {seed} is not one run: line {} differs\n{}\n< {}\n> {}",
            lines + 1,
            context.join("\n"),
            shown(&mine.unwrap_or(end.clone())),
            shown(&yours.unwrap_or(end))
        ));
    }
    match held {
        true => Ok((lines, hasher.finish())),
        false => Err(format!("{kind} {seed} is one run, and a broken one")),
    }
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN).collect()
}

/// A process that talks.
struct Talk {
    child: Child,
    said: BufReader<ChildStdout>,
}

fn talk(kind: &str, seed: u64, level: &str) -> Result<Talk, String> {
    let mut command: Command = simulate(kind, seed);
    let mut child = command
        .env("RUST_LOG", level)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the simulator did not start: {error}"))?;
    let said = BufReader::new(child.stdout.take().expect("it was piped"));
    Ok(Talk { child, said })
}

impl Talk {
    /// The next line; what a process says of its own CPU is no part of the run.
    fn line(&mut self) -> Result<Option<String>, String> {
        loop {
            let mut bytes = Vec::new();
            let read = self.said.read_until(b'\n', &mut bytes);
            if read.map_err(|error| format!("a simulator's output: {error}"))? == 0 {
                return Ok(None);
            }
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if !line.starts_with("cpu ") {
                return Ok(Some(line));
            }
        }
    }

    /// Waits for its end, or brings it about; whether every promise held.
    fn end(mut self, now: bool) -> bool {
        if now {
            // It may have ended already.
            let _ = self.child.kill();
        }
        self.child.wait().is_ok_and(|status| status.success())
    }
}
