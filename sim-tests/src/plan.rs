//! A run as data: knobs, faults with their times, people with their errands. Follows from one
//! `u64`; can be written to a file, edited, replayed and shrunk. What a plan does not say (how long
//! a sync takes, which frame is lost, whom the scheduler wakes) follows from a second number, the
//! *entropy*, so that a plan can be changed without changing all of that with it.

use serde::{Deserialize, Serialize};

use crate::fault::Blow;
use crate::nemesis;
use crate::scenario::Scenario;
use crate::workload::Person;

/// A run, but for its entropy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The knobs.
    pub scenario: Scenario,
    /// What goes wrong, and when.
    pub blows: Vec<Blow>,
    /// Who comes, and what for.
    pub people: Vec<Person>,
    /// A bug to be planted: the plan then proves that it is caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<String>,
    /// The property it broke once, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaks: Option<String>,
    /// What happened then, for whoever reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<String>,
}

impl Plan {
    /// The plan of a scenario.
    pub fn new(scenario: Scenario) -> Self {
        let blows = nemesis::plan(&scenario);
        let people = match scenario.across {
            0 => Person::all(&scenario),
            _ => Vec::new(),
        };
        Self {
            scenario,
            blows,
            people,
            planted: None,
            breaks: None,
            story: None,
        }
    }

    /// From a file's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("not a plan: {error}"))
    }

    /// For a file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a plan is plain data")
    }
}
