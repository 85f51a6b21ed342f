//! `scaling`: what a larger cluster would do, by the model in `bench/src/model/`.

#![allow(clippy::print_stdout, reason = "a report is this program's output")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::model::cluster::Cluster;
use bench::model::costs::Costs;
use bench::model::document::{difference, filled};
use bench::model::sale::Plan;
use bench::model::tables;
use clap::{Parser, Subcommand};

/// What a larger cluster would do, by a model. The same figures on every machine.
#[derive(Parser)]
struct Cli {
    /// Costs other than those of bench/costs.toml.
    #[arg(long, global = true)]
    costs: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the tables of docs/scaling.md.
    Table {
        /// Only this one: validate, capacity, sale or death.
        #[arg(long)]
        only: Option<String>,
    },
    /// Plays one sale and prints it by the minute.
    One(One),
    /// Holds the model against what was measured.
    Validate,
    /// Compares a document's tables with the model; exits with 1 where they differ.
    Check {
        /// docs/scaling.md
        document: PathBuf,
    },
    /// Writes the tables into a document.
    Write {
        /// docs/scaling.md
        document: PathBuf,
    },
}

#[derive(clap::Args)]
struct One {
    /// Nodes, each on a machine of its own.
    #[arg(long, default_value_t = 16, value_parser = between(1, 64))]
    nodes: u64,
    /// Cores of each.
    #[arg(long, default_value_t = 8, value_parser = between(1, 1_024))]
    cores: u64,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 64, value_parser = between(1, 4_095))]
    shards: u64,
    /// Voters of each shard; the other nodes read along.
    #[arg(long, default_value_t = 3, value_parser = between(1, 9))]
    replicas: u64,
    /// Chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    plan: Plan,
}

fn between(least: u64, most: u64) -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(least..=most)
}

/// What went wrong, for people.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let costs = match &cli.costs {
        Some(path) => Costs::parse(&read(path)?)?,
        None => Costs::kept(),
    };
    match cli.command {
        Command::Table { only } => {
            for table in tables::made(&costs, only.as_deref()) {
                println!(
                    "<!-- scaling:{} -->\n{}<!-- /scaling -->\n",
                    table.name, table.text
                );
            }
        }
        Command::One(one) => {
            let [nodes, cores, shards, replicas] =
                [one.nodes, one.cores, one.shards, one.replicas].map(|count| count as usize);
            let cluster = Cluster::spread(nodes, cores, shards, replicas);
            print!("{}", tables::one(&costs, &cluster, one.plan, one.seed));
        }
        Command::Validate => print!("{}", tables::measured(&costs)),
        Command::Check { document } => {
            let text = read(&document)?;
            let differs = difference(&text, &filled(&text, &tables::made(&costs, None))?);
            if !differs.is_empty() {
                print!("{differs}");
                println!(
                    "{} is not what the model says: `scaling write`",
                    document.display()
                );
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Write { document } => {
            let text = filled(&read(&document)?, &tables::made(&costs, None))?;
            std::fs::write(&document, text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
