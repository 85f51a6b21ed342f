//! `cargo xtask sim sweep`: many seeds, what struck in them, which rare branches they took.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Instant;

use super::process::{Report, commit, on_all_cores, simulate};

/// What all runs came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    failed: Vec<u64>,
    simulated_s: f64,
    cpu_s: f64,
    faults: BTreeMap<String, u64>,
    marks: BTreeMap<String, u64>,
}

impl Sum {
    fn add(&mut self, seed: u64, report: &Report) {
        self.seeds += 1;
        if !report.held {
            self.failed.push(seed);
        }
        self.simulated_s += report.simulated_s();
        self.cpu_s += report.cpu_s();
        for (row, count) in report.counts("fault") {
            *self.faults.entry(row.to_owned()).or_default() += count;
        }
        for (mark, count) in report.counts("mark") {
            *self.marks.entry(mark.to_owned()).or_default() += count;
        }
    }

    fn print(&self) {
        let number = |row: &str| row.split(' ').next().and_then(|n| n.parse::<u64>().ok());
        let mut faults: Vec<_> = self.faults.iter().collect();
        faults.sort_by_key(|(row, _)| number(row));
        for (row, count) in faults {
            println!("fault {count:>9}  {row}");
        }
        for (mark, count) in &self.marks {
            println!("mark  {count:>9}  {mark}");
        }
    }
}

/// Runs seeds on all cores, for some minutes at most; names every seed that failed and how to
/// repeat it, and says how often each fault struck and each mark was reached.
pub fn run(from: u64, seeds: u64, minutes: Option<u64>) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "times the processes that simulate, from outside of all of them"
    )]
    let started = Instant::now();
    let mut sum = Sum::default();
    let progress = std::io::stderr().is_terminal();
    let commit = commit();
    let add = |sum: &mut Sum, seed, report: Report| {
        sum.add(seed, &report);
        if !report.held {
            let broken = report.broken().join(", ");
            println!(
                "seed {seed} FAILED at commit {commit}: {broken}\n{}",
                report.text
            );
        }
        if progress {
            let minutes = started.elapsed().as_secs_f64() / 60.0;
            eprint!(
                "\r{} of {seeds} seeds, {:.0} a minute, {:.1} h simulated, {} failed ",
                sum.seeds,
                sum.seeds as f64 / minutes,
                sum.simulated_s / 3_600.0,
                sum.failed.len()
            );
        }
    };
    let in_time = || minutes.is_none_or(|minutes| started.elapsed().as_secs() < 60 * minutes);
    let wanted = |seed, _: &Sum| seed < from + seeds && in_time();
    on_all_cores(from, &mut sum, wanted, |seed| simulate("run", seed), add)?;
    if progress {
        eprintln!();
    }
    sum.print();
    println!(
        "simulator: {} passed, {} failed, {:.1} seeds a minute, {:.2} h simulated, {:.0} of them an hour of CPU",
        sum.seeds - sum.failed.len() as u64,
        sum.failed.len(),
        sum.seeds as f64 * 60.0 / started.elapsed().as_secs_f64(),
        sum.simulated_s / 3_600.0,
        sum.simulated_s / sum.cpu_s.max(0.001)
    );
    match sum.failed.first() {
        None => Ok(()),
        Some(seed) => Err(format!("repeat one with: cargo xtask sim --seed {seed}")),
    }
}
