//! `cargo xtask sim regressions`: every plan that once broke a promise, run again. A file's
//! `story` says what happened. A plan with a `planted` bug has to break its property (`breaks`)
//! still: the checker has its teeth. Any other has to hold.

use serde_json::Value;

use super::process::{Report, sim};
use crate::run::root;

/// Runs all of them.
pub fn run() -> Result<(), String> {
    let folder = root().join("regressions");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .map_err(|error| format!("regressions/: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort_unstable();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        let plan: Value =
            serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        let mut command = sim(&["replay", "--plan"]);
        command.arg(file);
        let report = Report::of(command)?;
        let broken = report.broken();
        let as_it_should = match plan["planted"].is_string() {
            true => plan["breaks"]
                .as_str()
                .is_some_and(|property| broken.contains(&property)),
            false => broken.is_empty(),
        };
        let came_to = match broken.is_empty() {
            true => "every promise held".to_owned(),
            false => format!("broken: {}", broken.join(", ")),
        };
        println!("regression {name}: {came_to}");
        if !as_it_should {
            println!("{}", report.text);
            wrong.push(name.into_owned());
        }
    }
    println!(
        "regressions: {} of {} as they should be",
        files.len() - wrong.len(),
        files.len()
    );
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("not as they should be: {}", wrong.join(", "))),
    }
}
