//! What all nodes say at one moment, and what two moments tell together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::admin_client::AdminClient;
use crate::figures::{Pair, Scrape};
use crate::http_client::{Connection, Request};
use crate::node::admin::StatusView;

/// A node that does not answer within this is shown as down.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// One moment.
#[derive(Debug)]
pub struct Look {
    /// When.
    pub at: Instant,
    /// By the address that was asked; `None` where nobody answered.
    pub nodes: Vec<(String, Option<Told>)>,
}

/// What one node says.
#[derive(Debug)]
pub struct Told {
    /// Its groups.
    pub status: StatusView,
    /// Its counters.
    pub scrape: Scrape,
}

impl Look {
    /// Asks everybody at once.
    pub async fn now(clients: &[AdminClient]) -> Self {
        let asked = clients.iter().map(|client| async move {
            let told = tokio::time::timeout(ANSWER_WITHIN, ask(client)).await;
            (client.name().to_owned(), told.ok().flatten())
        });
        Self {
            at: Instant::now(),
            nodes: futures::future::join_all(asked).await,
        }
    }

    /// Everybody who answered.
    pub fn told(&self) -> impl Iterator<Item = &Told> {
        self.nodes.iter().filter_map(|(_, told)| told.as_ref())
    }

    /// A number of each shard: replicas differ by what they have not applied, so the highest counts.
    pub fn of_shards(&self, name: &str, labels: &[(&str, &str)]) -> BTreeMap<u32, f64> {
        let mut all = BTreeMap::new();
        for told in self.told() {
            for (shard, value) in told.scrape.by_number(name, "shard", labels) {
                let highest: &mut f64 = all.entry(shard).or_default();
                *highest = highest.max(value);
            }
        }
        all
    }
}

async fn ask(client: &AdminClient) -> Option<Told> {
    let status: StatusView = client.get_json("/admin/status").await.ok()?;
    let mut door = Connection::new(status.http);
    let request = Request::get("/metrics");
    let text = door.call(&request, ANSWER_WITHIN).await.ok()?;
    let scrape = Scrape::read(&String::from_utf8_lossy(text.body));
    Some(Told { status, scrape })
}

/// The counters of all nodes that answered both times.
pub fn pairs<'a>(before: &'a Look, now: &'a Look) -> Vec<Pair<'a>> {
    let nodes = before.nodes.iter().zip(&now.nodes);
    let both = nodes.filter_map(|((_, before), (_, now))| {
        Some(Pair {
            before: &before.as_ref()?.scrape,
            now: &now.as_ref()?.scrape,
        })
    });
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(texts: &[Option<&str>]) -> Look {
        let told = |text: &&str| Told {
            status: StatusView {
                node_id: 1,
                cluster_id: uuid::Uuid::nil(),
                version: "0".to_owned(),
                http: ([127, 0, 0, 1], 1).into(),
                groups: Vec::new(),
                health: Default::default(),
            },
            scrape: Scrape::read(text),
        };
        Look {
            at: Instant::now(),
            nodes: texts
                .iter()
                .map(|text| (String::new(), text.as_ref().map(told)))
                .collect(),
        }
    }

    #[test]
    fn counters_are_compared_of_nodes_that_answered_twice() {
        let before = look(&[Some("a 10\n"), Some("a 5\n"), None]);
        let now = look(&[Some("a 12\n"), None, Some("a 7\n")]);
        let both = pairs(&before, &now);
        let grew = |pair: &Pair<'_>| pair.now.sum("a", &[]) - pair.before.sum("a", &[]);
        assert_eq!(both.iter().map(grew).collect::<Vec<_>>(), [2.0]);
    }

    #[test]
    fn what_replicas_say_of_a_shard_counts_once() {
        let now = look(&[
            Some("w{shard=\"1\"} 4\n"),
            Some("w{shard=\"1\"} 5\nw{shard=\"2\"} 1\n"),
        ]);
        let told = now.of_shards("w", &[]);
        assert_eq!(told, BTreeMap::from([(1, 5.0), (2, 1.0)]));
    }
}
