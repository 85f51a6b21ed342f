//! One run in this process: its plan, its verdict, its trace hash. Exit code 0 if every promise
//! held, 1 if one was broken, 2 for words it does not understand.
#![allow(clippy::print_stdout, reason = "a report is this program's output")]

use std::process::ExitCode;

#[cfg(not(madsim))]
fn main() -> ExitCode {
    println!("the simulator needs --cfg madsim: cargo xtask sim --seed N");
    ExitCode::from(2)
}

#[cfg(madsim)]
fn main() -> ExitCode {
    match simulated::main() {
        Ok(code) => code,
        Err(why) => {
            println!("{why}");
            ExitCode::from(2)
        }
    }
}

#[cfg(madsim)]
mod simulated {
    use std::path::PathBuf;
    use std::process::ExitCode;

    use clap::{Args, Parser};
    use probes::Bug;
    use sim_tests::plan::Plan;
    use sim_tests::run::{Verdict, run};
    use sim_tests::scenario::Scenario;

    /// One simulated run. `cargo xtask sim` runs many.
    #[derive(Parser)]
    #[command(name = "sim")]
    enum Words {
        /// The plan that follows from a seed.
        Run(Seeded),
        /// A plan whose every order spans shards, with a crash aimed at one of its steps.
        Steps(Seeded),
        /// A plan from a file.
        Replay {
            /// The file, as `sim plan` prints it.
            #[arg(long)]
            plan: PathBuf,
            #[command(flatten)]
            how: How,
        },
        /// Prints the plan of a seed.
        Plan {
            /// The seed.
            #[arg(long)]
            seed: u64,
        },
        /// Prints every bug that can be planted.
        Bugs,
    }

    #[derive(Args)]
    struct Seeded {
        /// The seed.
        #[arg(long)]
        seed: u64,
        #[command(flatten)]
        how: How,
    }

    #[derive(Args)]
    struct How {
        /// Another entropy than the plan's own.
        #[arg(long)]
        entropy: Option<u64>,
        /// A bug to plant, by name.
        #[arg(long)]
        bug: Option<String>,
    }

    pub fn main() -> Result<ExitCode, String> {
        let (mut plan, how, again) = match Words::parse() {
            Words::Run(Seeded { seed, how }) => {
                let again = format!("--seed {seed}");
                (Plan::new(Scenario::new(seed)), how, again)
            }
            Words::Steps(Seeded { seed, how }) => {
                let again = format!("steps --seed {seed}");
                (Plan::new(Scenario::steps(seed)), how, again)
            }
            Words::Replay { plan: path, how } => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let again = format!("replay {}", path.display());
                (Plan::parse(&text)?, how, again)
            }
            Words::Plan { seed } => {
                println!("{}", Plan::new(Scenario::new(seed)).text());
                return Ok(ExitCode::SUCCESS);
            }
            Words::Bugs => {
                for bug in Bug::ALL {
                    println!("{} {}", bug.name(), bug.story().trim());
                }
                return Ok(ExitCode::SUCCESS);
            }
        };
        if let Some(entropy) = how.entropy {
            plan.scenario.entropy = entropy;
        }
        if let Some(name) = how.bug.as_ref().or(plan.planted.as_ref()) {
            probes::plant(Bug::find(name).ok_or(format!("no bug is called {name}"))?);
        }
        if std::env::var_os("RUST_LOG").is_some() {
            tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .without_time()
                .with_ansi(false)
                .init();
        }
        println!("{:#?}", plan.scenario);
        let entropy = plan.scenario.entropy;
        let config = madsim::Config::default();
        let runtime = madsim::runtime::Runtime::with_seed_and_config(entropy, config);
        let verdict = runtime.block_on(run(plan));
        report(&verdict);
        if let Some(seconds) = cpu_seconds() {
            println!("cpu {seconds:.2} s");
        }
        if verdict.violations.is_empty() {
            println!("every promise held");
            return Ok(ExitCode::SUCCESS);
        }
        println!("repeat with: cargo xtask sim {again}");
        Ok(ExitCode::FAILURE)
    }

    /// What this process has used of all cores, in user and kernel. No part of the run.
    fn cpu_seconds() -> Option<f64> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // Behind the name, which may contain anything but a closing bracket last: state is field 3.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        // USER_HZ is 100 wherever Linux runs.
        Some((ticks(14)? + ticks(15)?) / 100.0)
    }

    fn report(verdict: &Verdict) {
        println!(
            "simulated {:.1} s, {} events, {} yes, {} orders paid",
            verdict.simulated.as_secs_f64(),
            verdict.events,
            verdict.yes,
            verdict.paid
        );
        for (row, count) in &verdict.faults {
            println!("fault {count} {row}");
        }
        for (mark, count) in probes::marks() {
            println!("mark {count} {}", mark.name());
        }
        println!("struck {}", probes::struck());
        println!("crashes {}", verdict.crashes);
        for ((step, whose, moment), count) in &verdict.shots {
            println!("shot {step} {whose:?} {moment:?} {count}");
        }
        for (fate, count) in &verdict.ended {
            println!("ended {fate} {count}");
        }
        println!("trace {}", verdict.trace);
        for line in &verdict.lives {
            println!("{line}");
        }
        if verdict.violations.is_empty() {
            return;
        }
        for line in &verdict.tail {
            println!("{line}");
        }
        for violation in &verdict.violations {
            println!("BROKEN {}: {}", violation.property, violation.found);
        }
    }
}
