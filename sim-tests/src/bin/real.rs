//! The second tier as a program: real nodes, real disks, real sockets. Exit code 0 if every promise
//! held, 1 if one was broken, 2 when there is no verdict.
#![allow(clippy::print_stdout, reason = "a report is this program's output")]

use std::process::ExitCode;

#[cfg(madsim)]
fn main() -> ExitCode {
    println!("real processes need a build without --cfg madsim: cargo xtask real");
    ExitCode::from(2)
}

#[cfg(not(madsim))]
fn main() -> ExitCode {
    real::main()
}

#[cfg(not(madsim))]
mod real {
    use std::path::PathBuf;
    use std::process::ExitCode;

    use clap::Parser;
    use sim_tests::real::machine::Setup;
    use sim_tests::real::run::{Order, Verdict, run};

    /// Kills real nodes while people buy, and judges what is left.
    #[derive(Parser)]
    #[command(name = "real")]
    struct Words {
        /// Loops in which one node or two are killed with SIGKILL.
        #[arg(long, default_value_t = 30)]
        kills: u64,
        /// Loops in which all nodes are, losing what was not synced.
        #[arg(long, default_value_t = 6)]
        power_cuts: u64,
        /// Where the plan comes from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The `usher` program; the one beside this program if left out.
        #[arg(long, value_name = "FILE")]
        usher: Option<PathBuf>,
        /// Where nodes live; removed after a good run.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Disks that lie about syncs: such a run has to fail.
        #[arg(long)]
        lying_disks: bool,
    }

    pub fn main() -> ExitCode {
        let words = Words::parse();
        let beside = || std::env::current_exe().ok()?.parent()?.join("usher").into();
        let Some(program) = words.usher.clone().or_else(beside) else {
            println!("which usher? --usher FILE");
            return ExitCode::from(2);
        };
        let dir = words.dir.join(format!("seed-{}", words.seed));
        // What an earlier run left is in nobody's way but ours.
        let _ = std::fs::remove_dir_all(&dir);
        let order = Order {
            seed: words.seed,
            kills: words.kills,
            power_cuts: words.power_cuts,
            setup: Setup {
                program,
                dir: dir.clone(),
                lies: words.lying_disks,
            },
        };
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                println!("no runtime: {error}");
                return ExitCode::from(2);
            }
        };
        let began = tokio::time::Instant::now();
        let say = |line: &str| println!("{:>7.1} s  {line}", began.elapsed().as_secs_f64());
        match runtime.block_on(run(&order, &say)) {
            Ok(verdict) => report(&order, &verdict),
            Err(error) => {
                println!(
                    "no verdict: {error}\neverything is left in {}",
                    dir.display()
                );
                ExitCode::from(2)
            }
        }
    }

    fn report(order: &Order, verdict: &Verdict) -> ExitCode {
        for (fault, count) in &verdict.faults {
            println!("fault {count} {fault}");
        }
        for violation in &verdict.violations {
            println!("BROKEN {}: {}", violation.property, violation.found);
        }
        let [held, paid, back] = verdict.yes;
        println!(
            "seed {}: {} blows in {:.0} s, {} sales; told: {held} held, {paid} paid, {back} given back, \
             {} unknown; {} orders paid, {} seats sold; {} promises broken",
            order.seed,
            verdict.blows,
            verdict.took.as_secs_f64(),
            verdict.sales,
            verdict.unknown,
            verdict.paid,
            verdict.sold,
            verdict.violations.len()
        );
        let dir = &order.setup.dir;
        if verdict.violations.is_empty() {
            // Leaving it behind would be untidy, not wrong.
            let _ = std::fs::remove_dir_all(dir);
            return ExitCode::SUCCESS;
        }
        println!(
            "nodes' data and logs are left in {}\nagain: cargo xtask real --seed {} --kills {} --power-cuts {}",
            dir.display(),
            order.seed,
            order.kills,
            order.power_cuts
        );
        ExitCode::FAILURE
    }
}
