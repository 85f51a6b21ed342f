//! `cargo xtask sim shrink`: makes a plan that fails as small as it gets while the *same* property
//! fails (delta debugging: Zeller, Hildebrandt, TSE 2002), and keeps it in `regressions/`.
//!
//! A plan is shrunk as JSON, so whatever kinds of blows, people and errands there will be are
//! shrunk as well. What a plan does not say follows from its entropy: a smaller plan is taken when
//! any of a few entropies still fails, because the old one meets other moments in it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::process::{Report, sim};
use crate::run::root;

/// Entropies tried for each candidate, the plan's own among them.
const ENTROPIES: u64 = 4;
/// Knobs and what they are when nothing is asked of them, the more telling ones first.
const CALM: [(&str, Calm); 20] = [
    ("nodes", Calm::Number(3)),
    ("shards", Calm::Number(1)),
    ("step_crash_percent", Calm::Number(0)),
    ("frame_fault_percent", Calm::Number(0)),
    ("lost_reply_percent", Calm::Number(0)),
    ("lost_answer_percent", Calm::Number(0)),
    ("stored_error_percent", Calm::Number(0)),
    ("late_deed_percent", Calm::Number(0)),
    ("webhook_fault_percent", Calm::Number(0)),
    ("decline_percent", Calm::Number(0)),
    ("queue", Calm::False),
    ("scarce", Calm::False),
    ("skew_ms", Calm::Nothing),
    ("drift_ppm", Calm::Nothing),
    ("snapshot_every", Calm::Number(20_000)),
    ("keep_entries", Calm::Number(5_000)),
    ("batch_max", Calm::Number(1_024)),
    ("queue_max", Calm::Number(8_192)),
    ("in_flight", Calm::Number(1)),
    ("segments_before_rewrite", Calm::Number(16)),
];

#[derive(Clone, Copy)]
enum Calm {
    Number(u64),
    False,
    Nothing,
}

/// See [`crate::sim::Args`].
#[derive(clap::Args)]
pub struct Args {
    /// A plan's file, or a seed.
    what: String,
    /// A bug to plant; the regression then proves that it is caught.
    #[arg(long)]
    bug: Option<String>,
    /// The property to keep failing; the first one that does, unless named.
    #[arg(long)]
    property: Option<String>,
    /// What the file in `regressions/` is called; after the property, unless named.
    #[arg(long)]
    name: Option<String>,
    /// What happened, in a sentence, for whoever meets the file later.
    #[arg(long, default_value = "")]
    story: String,
    /// Runs that may be spent.
    #[arg(long, default_value_t = 400)]
    runs: u64,
}

/// What is being shrunk, and what was spent on it.
struct Hunt {
    property: String,
    file: PathBuf,
    runs_left: u64,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), String> {
    let mut plan = read(&args.what)?;
    if let Some(bug) = &args.bug {
        plan["planted"] = json!(bug);
    }
    let folder = root().join("target-sim/shrink");
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut hunt = Hunt {
        property: String::new(),
        file: folder.join(format!("{}.json", std::process::id())),
        runs_left: args.runs,
    };
    let first = hunt.broken(&plan)?;
    let wanted = args.property.clone().or(first.first().cloned());
    hunt.property = wanted.ok_or("this plan breaks no promise: there is nothing to shrink")?;
    if !first.contains(&hunt.property) {
        return Err(format!(
            "{} does not fail, but {}",
            hunt.property,
            first.join(", ")
        ));
    }
    println!("shrinking while {} fails", hunt.property);
    loop {
        let before = size(&plan);
        hunt.list(&mut plan, "/blows")?;
        hunt.list(&mut plan, "/people")?;
        for person in 0..length(&plan, "/people") {
            hunt.list(&mut plan, &format!("/people/{person}/errands"))?;
        }
        hunt.knobs(&mut plan)?;
        println!("{} now, {} runs left", words(&plan), hunt.runs_left);
        if size(&plan) == before || hunt.runs_left == 0 {
            break;
        }
    }
    let _ = std::fs::remove_file(&hunt.file);
    plan["breaks"] = json!(hunt.property);
    plan["story"] = json!(args.story);
    let after = args.bug.as_deref().unwrap_or(&hunt.property).to_owned();
    let name = args.name.clone().unwrap_or(after);
    let path = root().join("regressions").join(format!("{name}.json"));
    write(&path, &plan)?;
    println!("kept as regressions/{name}.json: {}", words(&plan));
    println!("repeat with: cargo xtask sim replay regressions/{name}.json");
    Ok(())
}

/// The plan in a file, or of a seed.
fn read(what: &str) -> Result<Value, String> {
    let text = match what.parse::<u64>() {
        Ok(seed) => Report::of(sim(&["plan", "--seed", &seed.to_string()]))?.text,
        Err(_) => std::fs::read_to_string(what).map_err(|error| format!("{what}: {error}"))?,
    };
    serde_json::from_str(&text).map_err(|error| format!("{what} is not a plan: {error}"))
}

fn write(path: &Path, plan: &Value) -> Result<(), String> {
    let text = serde_json::to_string_pretty(plan).expect("a value is plain data");
    let folder = path.parent().expect("a file in a folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text + "\n"))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn length(plan: &Value, list: &str) -> usize {
    plan.pointer(list)
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

fn size(plan: &Value) -> usize {
    plan.to_string().len()
}

fn words(plan: &Value) -> String {
    format!(
        "{} blows, {} people",
        length(plan, "/blows"),
        length(plan, "/people")
    )
}

impl Hunt {
    /// The properties this plan breaks under its own entropy.
    fn broken(&mut self, plan: &Value) -> Result<Vec<String>, String> {
        self.runs_left = self.runs_left.saturating_sub(1);
        write(&self.file, plan)?;
        let mut command = sim(&["replay", "--plan"]);
        command.arg(&self.file);
        let report = Report::of(command)?;
        Ok(report.broken().into_iter().map(str::to_owned).collect())
    }

    /// The plan, if the property still fails under one of a few entropies; with that entropy.
    fn fails(&mut self, mut plan: Value) -> Result<Option<Value>, String> {
        let own = plan["scenario"]["entropy"].as_u64().unwrap_or(0);
        for more in 0..ENTROPIES {
            if self.runs_left == 0 {
                return Ok(None);
            }
            plan["scenario"]["entropy"] = json!(own.wrapping_add(more));
            if self.broken(&plan)?.contains(&self.property) {
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    /// Drops what it can from a list: halves first, then quarters, and so on down to one.
    fn list(&mut self, plan: &mut Value, list: &str) -> Result<(), String> {
        let mut chunk = length(plan, list).next_power_of_two();
        while chunk > 0 {
            let mut at = 0;
            while at < length(plan, list) && self.runs_left > 0 {
                let mut smaller = plan.clone();
                let items = smaller.pointer_mut(list).and_then(Value::as_array_mut);
                let items = items.expect("it has a length");
                items.drain(at..(at + chunk).min(items.len()));
                match self.fails(smaller)? {
                    Some(smaller) => *plan = smaller,
                    None => at += chunk,
                }
            }
            chunk /= 2;
        }
        Ok(())
    }

    /// Calms what it can of the knobs.
    fn knobs(&mut self, plan: &mut Value) -> Result<(), String> {
        for (knob, calm) in CALM {
            let value = match calm {
                Calm::Number(number) => json!(number),
                Calm::False => json!(false),
                Calm::Nothing => json!([]),
            };
            let known = plan["scenario"].get(knob);
            if known.is_none_or(|now| *now == value) || self.runs_left == 0 {
                continue;
            }
            let mut calmer = plan.clone();
            calmer["scenario"][knob] = value;
            if let Some(calmer) = self.fails(calmer)? {
                *plan = calmer;
            }
        }
        Ok(())
    }
}
