//! Showing people how a long run goes: bars and a table of nodes in a terminal, plain lines every
//! two seconds elsewhere. Everything goes to the standard error; the standard output is for
//! results.

#![allow(clippy::disallowed_methods, reason = "shows real time to people")]

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(2);

/// How a sale stands.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is going on, in a few words.
    pub phase: String,
    /// Seats that can be sold.
    pub total: u64,
    /// Sold.
    pub sold: u64,
    /// Held or in payment.
    pub held: u64,
    /// Free.
    pub available: u64,
    /// People who joined.
    pub joined: u64,
    /// Reservations granted in the last second.
    pub reserves_per_s: u64,
    /// The nodes, by id.
    pub nodes: Vec<NodeLine>,
}

/// A node in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLine {
    /// Its id.
    pub id: u64,
    /// Its address.
    pub url: String,
    /// Whether its process runs.
    pub up: bool,
    /// Groups it leads, as far as is known.
    pub leads: usize,
}

/// Where progress is shown.
pub struct Progress {
    live: Option<Live>,
    last_line: Mutex<Option<Instant>>,
    start: Instant,
}

struct Live {
    all: MultiProgress,
    sold: ProgressBar,
    facts: ProgressBar,
    nodes: Vec<ProgressBar>,
}

impl Progress {
    /// Live in a terminal, plain lines elsewhere.
    pub fn new(nodes: usize) -> Self {
        let live = std::io::stderr().is_terminal().then(|| Live::new(nodes));
        Self {
            live,
            ..Self::lines()
        }
    }

    /// Plain lines everywhere: where there is no sale to show.
    pub fn lines() -> Self {
        Self {
            live: None,
            last_line: Mutex::new(None),
            start: Instant::now(),
        }
    }

    /// One line that stays.
    pub fn say(&self, line: &str) {
        let line = format!("{:>6.1} s  {line}", self.start.elapsed().as_secs_f64());
        match &self.live {
            // Either may fail when the reader is gone; the run goes on without it.
            Some(live) => drop(live.all.println(&line)),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Shows how it stands; call it as often as you like.
    pub fn show(&self, snapshot: &Snapshot) {
        match &self.live {
            Some(live) => live.show(snapshot),
            None => {
                let mut last = self
                    .last_line
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    drop(last);
                    self.say(&plain(snapshot));
                }
            }
        }
    }

    /// Takes the live display away.
    pub fn finish(&self) {
        if let Some(live) = &self.live {
            // Clearing a display nobody sees any more may fail.
            let _ = live.all.clear();
        }
    }
}

impl Live {
    fn new(nodes: usize) -> Self {
        let all = MultiProgress::new();
        let style = |template: &str| {
            ProgressStyle::with_template(template).expect("the templates here are well-formed")
        };
        let sold = all.add(ProgressBar::new(0));
        sold.set_style(style(
            "{msg:<18} [{bar:40.green}] {pos}/{len} sold {percent}%",
        ));
        let line = |_| {
            let line = all.add(ProgressBar::new_spinner());
            line.set_style(style("{msg}"));
            line
        };
        let facts = line(0);
        let nodes = (0..nodes).map(line).collect();
        Self {
            all,
            sold,
            facts,
            nodes,
        }
    }

    fn show(&self, snapshot: &Snapshot) {
        self.sold.set_length(snapshot.total);
        self.sold.set_position(snapshot.sold);
        self.sold.set_message(snapshot.phase.clone());
        self.facts.set_message(facts(snapshot));
        for (bar, node) in self.nodes.iter().zip(&snapshot.nodes) {
            bar.set_message(format!(
                "  node {}  {}  {}  leads {}",
                node.id,
                node.url,
                if node.up { "up  " } else { "DOWN" },
                node.leads
            ));
        }
    }
}

fn facts(snapshot: &Snapshot) -> String {
    let Snapshot {
        held,
        available,
        joined,
        reserves_per_s,
        ..
    } = snapshot;
    format!("  {available} free, {held} held, {joined} joined, {reserves_per_s} reserves/s")
}

fn plain(snapshot: &Snapshot) -> String {
    let nodes: Vec<String> = snapshot
        .nodes
        .iter()
        .map(|node| match node.up {
            true => format!("{}:leads {}", node.id, node.leads),
            false => format!("{}:DOWN", node.id),
        })
        .collect();
    let Snapshot {
        phase, sold, total, ..
    } = snapshot;
    format!(
        "{phase}: {sold}/{total} sold,{}, nodes {}",
        facts(snapshot),
        nodes.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_tells_the_sale_and_each_node() {
        let node = |id, up| NodeLine {
            id,
            url: String::new(),
            up,
            leads: 3,
        };
        let snapshot = Snapshot {
            phase: "selling".to_owned(),
            total: 100,
            sold: 40,
            nodes: vec![node(1, true), node(2, false)],
            ..Snapshot::default()
        };
        let line = plain(&snapshot);
        assert!(
            line.contains("40/100 sold") && line.contains("1:leads 3 2:DOWN"),
            "{line}"
        );
    }
}
