//! `sim run --seed N` and `sim steps --seed N`: one run, its verdict, its trace hash. Exit code 0 if every promise held.
#![allow(clippy::print_stdout, reason = "a report is this program's output")]

use std::process::ExitCode;

#[cfg(not(madsim))]
fn main() -> ExitCode {
    println!("the simulator needs --cfg madsim: cargo xtask sim --seed N");
    ExitCode::from(2)
}

#[cfg(madsim)]
fn main() -> ExitCode {
    use sim_tests::run::run;
    use sim_tests::scenario::Scenario;

    let words: Vec<String> = std::env::args().skip(1).collect();
    let scenario = match &words[..] {
        [kind, flag, seed] if flag == "--seed" => match (kind.as_str(), seed.parse::<u64>()) {
            ("run", Ok(seed)) => Some(Scenario::new(seed)),
            ("steps", Ok(seed)) => Some(Scenario::steps(seed)),
            _ => None,
        },
        _ => None,
    };
    let Some(scenario) = scenario else {
        println!("usage: sim run|steps --seed N");
        return ExitCode::from(2);
    };
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .without_time()
            .with_ansi(false)
            .init();
    }
    let (seed, across) = (scenario.seed, scenario.across > 0);
    println!("{scenario:#?}");
    let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
    let verdict = runtime.block_on(run(scenario));
    println!(
        "simulated {:.1} s, {} events, {} yes, {} orders paid",
        verdict.simulated.as_secs_f64(),
        verdict.events,
        verdict.yes,
        verdict.paid
    );
    println!("crashes {}", verdict.crashes);
    for ((step, whose, moment), count) in &verdict.shots {
        println!("shot {step} {whose:?} {moment:?} {count}");
    }
    for (fate, count) in &verdict.ended {
        println!("ended {fate} {count}");
    }
    println!("trace {}", verdict.trace);
    if verdict.violations.is_empty() {
        println!("seed {seed}: every promise held");
        return ExitCode::SUCCESS;
    }
    for line in &verdict.tail {
        println!("{line}");
    }
    for violation in &verdict.violations {
        println!("BROKEN {}: {}", violation.property, violation.found);
    }
    let how = if across { "steps --seed" } else { "--seed" };
    println!("repeat with: cargo xtask sim {how} {seed}");
    ExitCode::FAILURE
}
