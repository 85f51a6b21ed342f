//! Goal: a command that somebody follows is followed to the leader that commits it, wherever it was
//! proposed, and one that nobody follows leaves no trace.
//!
//! Method: three nodes in one process, and a subscriber that keeps every span that ends.

mod toy;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use toy::Cluster;
use trace::Trace;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

type Ended = BTreeMap<&'static str, String>;

/// Keeps spans, and nothing else.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<Ended>>>);

struct Fields<'a>(&'a mut Ended);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == trace::SPANS
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut ended = Ended::new();
        event.record(&mut Fields(&mut ended));
        self.0.lock().unwrap().push(ended);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_followed_to_whoever_commits_it() {
    let keeper = Keeper::default();
    tracing::subscriber::set_global_default(keeper.clone()).unwrap();
    let cluster = Cluster::start(3, vec![1], Arc::new(|_| {})).await;
    let leader = cluster.leader(1).await;
    let deadline = Duration::from_secs(10);
    for node in 1..=3 {
        let id = format!("{node:032x}");
        let cause = Trace::parse(&format!("00-{id}-00f067aa0ba902b7-01"));
        let client = cluster.client(node);
        let command = Bytes::from(format!("{node} followed"));
        let propose = client.propose(1, command, deadline);
        let committed = trace::within(cause, propose).await.unwrap();
        let unseen = Bytes::from(format!("{} unseen", node + 10));
        client.propose(1, unseen, deadline).await.unwrap();

        let mut ended = std::mem::take(&mut *keeper.0.lock().unwrap());
        // A node that was asked while it did not lead any more says so in a span of its own.
        ended.retain(|span| span["failed"] == "false");
        let [span] = &ended[..] else {
            panic!("leader {leader}, asked {node}: {ended:?}");
        };
        assert_eq!(span["trace_id"], id);
        assert_eq!(span["parent_id"], "00f067aa0ba902b7");
        assert_ne!(span["span_id"], span["parent_id"]);
        assert_eq!(span["group"], "1");
        assert_eq!(span["term"], committed.term.to_string());
        assert_eq!(span["index"], committed.index.to_string());
    }
}
