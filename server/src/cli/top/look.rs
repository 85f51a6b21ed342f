//! What all nodes say at one moment, and what two moments tell together.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::admin_client::AdminClient;
use crate::http_client::{Connection, Request};
use crate::node::admin::StatusView;
use crate::scrape::Scrape;

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

/// How much a counter grew, over all nodes that answered both times; one that was restarted began anew.
pub fn grown(before: &Look, now: &Look, count: impl Fn(&Scrape) -> f64) -> f64 {
    let pairs = before.nodes.iter().zip(&now.nodes);
    let each = pairs.map(|((_, before), (_, now))| match (before, now) {
        (Some(before), Some(now)) => (count(&now.scrape) - count(&before.scrape)).max(0.0),
        _ => 0.0,
    });
    each.sum()
}

/// The time that so much of a hundred requests did not exceed, in seconds, from what the histogram of one
/// route grew by; `None` without a request.
pub fn percentile(before: &Look, now: &Look, route: &str, percent: f64) -> Option<f64> {
    const NAME: &str = "usher_api_request_duration_seconds";
    let labels = [("kind", route)];
    let mut most: Vec<f64> = now
        .told()
        .flat_map(|told| told.scrape.buckets(NAME, &labels))
        .map(|(most, _)| most)
        .collect();
    most.sort_by(f64::total_cmp);
    most.dedup();
    let counts = most.iter().map(|bound| {
        let within = |scrape: &Scrape| {
            let buckets = scrape.buckets(NAME, &labels);
            let found = buckets.iter().find(|(most, _)| most == bound);
            found.map_or(0.0, |(_, count)| *count)
        };
        (*bound, grown(before, now, within))
    });
    let counts: Vec<(f64, f64)> = counts.collect();
    let all = counts.last().map(|(_, count)| *count)?;
    let wanted = all * percent / 100.0;
    let found = counts.iter().find(|(_, count)| *count >= wanted);
    (all > 0.0).then(|| found.map(|(most, _)| *most)).flatten()
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
    fn counters_grow_over_nodes_that_answered_twice_and_never_below_nothing() {
        let before = look(&[Some("a 10\n"), Some("a 5\n"), None, Some("a 100\n")]);
        let now = look(&[Some("a 12\n"), None, Some("a 7\n"), Some("a 3\n")]);
        assert_eq!(grown(&before, &now, |scrape| scrape.sum("a", &[])), 2.0);
    }

    #[test]
    fn a_percentile_is_of_what_was_asked_between_the_looks_on_all_nodes() {
        let histogram = |fast: u32, all: u32| {
            format!(
                "usher_api_request_duration_seconds_bucket{{le=\"0.01\",kind=\"reserve\"}} {fast}\n\
                 usher_api_request_duration_seconds_bucket{{le=\"0.5\",kind=\"reserve\"}} {all}\n\
                 usher_api_request_duration_seconds_bucket{{le=\"+Inf\",kind=\"reserve\"}} {all}\n"
            )
        };
        let (one, two) = (histogram(100, 200), histogram(0, 0));
        let before = look(&[Some(&one), Some(&two)]);
        let (one, two) = (histogram(149, 250), histogram(48, 50));
        let now = look(&[Some(&one), Some(&two)]);
        // 97 of 100 were fast.
        assert_eq!(percentile(&before, &now, "reserve", 50.0), Some(0.01));
        assert_eq!(percentile(&before, &now, "reserve", 99.0), Some(0.5));
        assert_eq!(percentile(&now, &now, "reserve", 50.0), None);
        assert_eq!(percentile(&before, &now, "pay", 50.0), None);
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
