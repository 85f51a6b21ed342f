//! `cargo xtask sim steps`: crashes aimed at every step of orders across shards, until enough
//! orders were hit and judged; then the table that says what was hit.

use std::collections::BTreeMap;
use std::time::Instant;

use super::process::{Report, on_all_cores, simulate};
use crate::run::check;

/// After so many seeds that failed, more of them tell nothing new.
const FAILURES_MAX: usize = 20;

/// See [`crate::sim::Args`].
#[derive(clap::Args)]
pub struct Args {
    /// Orders that an aimed crash must have hit.
    #[arg(long, default_value_t = 10_000)]
    orders: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Runs this seed alone and prints its report.
    #[arg(long)]
    seed: Option<u64>,
}

/// What all runs came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    failed: Vec<u64>,
    crashes: u64,
    simulated_s: f64,
    /// By step: own leader appended, applied; the other side's appended, applied.
    shots: BTreeMap<String, [u64; 4]>,
    ended: BTreeMap<String, u64>,
}

impl Sum {
    fn judged(&self) -> u64 {
        self.ended.values().sum()
    }

    /// Adds what one run printed.
    fn add(&mut self, report: &str) {
        for line in report.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["simulated", seconds, ..] => {
                    self.simulated_s += seconds.parse::<f64>().unwrap_or(0.0)
                }
                ["crashes", count] => self.crashes += number(count),
                ["ended", fate, count] => {
                    *self.ended.entry(fate.to_owned()).or_default() += number(count);
                }
                ["shot", step, whose, moment, count] => {
                    let column =
                        2 * usize::from(whose == "There") + usize::from(moment == "Applied");
                    self.shots.entry(step.to_owned()).or_default()[column] += number(count);
                }
                _ => {}
            }
        }
    }

    fn print(&self) {
        println!(
            "{:<24} {:>9} {:>9} {:>9} {:>9} {:>7}",
            "leader dies at", "appended", "applied", "appended", "applied", "all"
        );
        println!(
            "{:<24} {:>19} {:>19}",
            "", "the step's own", "the other side's"
        );
        for (step, [a, b, c, d]) in &self.shots {
            println!(
                "{step:<24} {a:>9} {b:>9} {c:>9} {d:>9} {:>7}",
                a + b + c + d
            );
        }
        let ended: Vec<_> = self
            .ended
            .iter()
            .map(|(fate, count)| format!("{count} {fate}"))
            .collect();
        println!("ended: {}", ended.join(", "));
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or(0)
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    if let Some(seed) = args.seed {
        return check(simulate("steps", seed));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "times the processes that simulate, from outside of all of them"
    )]
    let started = Instant::now();
    let mut sum = Sum::default();
    // A build whose every seed fails judges nothing, and must come to an end as well.
    let wanted = |_, sum: &Sum| sum.judged() < args.orders && sum.failed.len() < FAILURES_MAX;
    let add = |sum: &mut Sum, seed, report: Report| {
        sum.seeds += 1;
        if !report.held {
            println!("seed {seed} FAILED\n{}", report.text);
            sum.failed.push(seed);
            return;
        }
        sum.add(&report.text);
        println!("seed {seed}: {} orders so far", sum.judged());
    };
    let command = |seed| simulate("steps", seed);
    on_all_cores(args.from, &mut sum, wanted, command, add)?;
    sum.print();
    println!(
        "cross-section orders: {} with a leader's crash aimed between two steps, {} crashes, {} seeds, \
         {:.1} h simulated in {:.1} min: {} seeds broken",
        sum.judged(),
        sum.crashes,
        sum.seeds,
        sum.simulated_s / 3_600.0,
        started.elapsed().as_secs_f64() / 60.0,
        sum.failed.len()
    );
    match sum.failed.first() {
        None => Ok(()),
        Some(seed) => Err(format!(
            "repeat one with: cargo xtask sim steps --seed {seed}"
        )),
    }
}
