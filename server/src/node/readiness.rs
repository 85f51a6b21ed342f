//! Whether this node can serve a buyer now, and otherwise all that is missing: what `GET /readyz` tells
//! load balancers and people.
//!
//! Each word is stable, and each sentence says what helps. A node that is not ready goes on doing what
//! it can: buyers whom nobody sends elsewhere are served as well as it goes.

use std::sync::{Arc, OnceLock};

use api::backend::Missing;
use cluster::members::NodeState;
use raft_node::platform::tls::Tls;
use raft_node::storage::Level;
use raft_node::{Node, watch};

use super::backend::Replicas;
use crate::read_model::ReadModel;

/// A replica that may be older than this shows buyers what is long gone.
const AGE_MS_MAX: u64 = 10_000;

/// What a node's readiness is made of, beside what consensus knows.
pub struct Readiness {
    draining: watch::Sender<bool>,
    /// Where people's lists come from, if this node has them.
    read_model: Option<Arc<ReadModel>>,
    /// What it shows its peers, if they ask for certificates.
    pub tls: OnceLock<Arc<Tls>>,
}

impl Readiness {
    /// Of a node that serves.
    pub fn new(read_model: Option<Arc<ReadModel>>) -> Self {
        Self {
            draining: watch::channel(false).0,
            read_model,
            tls: OnceLock::new(),
        }
    }

    /// From now on it is not, so that load balancers look elsewhere.
    pub fn drain(&self) {
        self.draining.publish(true);
    }

    /// Resolves once it drains.
    pub async fn drained(&self) {
        self.draining
            .receiver()
            .eventually(|draining| *draining)
            .await;
    }

    /// Everything that is missing.
    pub(super) fn missing(&self, id: u64, node: &Node, replicas: &Replicas) -> Vec<Missing> {
        let mut found = Vec::new();
        let mut miss = |what, detail: String| found.push(Missing { what, detail });
        if *self.draining.borrow() {
            miss("draining", "this node is stopping".to_owned());
        }
        let router = replicas
            .catalogue
            .look(|catalogue, _, _| catalogue.router());
        if router.is_none() {
            let detail = "the cluster has not been initialized (usher init)";
            miss("initialized", detail.to_owned());
            return found;
        }
        if let Some(why) = unwanted(id, replicas) {
            miss("member", why.to_owned());
        }
        for group in node.status() {
            let id = group.group;
            let age_ms = node.age_ms(id);
            if let Some(why) = group.stopped {
                miss("consensus", format!("group {id} has stopped: {why}"));
            } else if group.leader.is_none() {
                miss("leader", format!("group {id} has no leader"));
            } else if age_ms > AGE_MS_MAX {
                // Asks sooner than one that nobody reads.
                node.is_read(id);
                let detail = match age_ms {
                    u64::MAX => format!("nobody knows how old what is here of group {id} is"),
                    known => {
                        let seconds = known / 1_000;
                        format!("what is here of group {id} may be {seconds} s old")
                    }
                };
                miss("fresh", detail);
            }
        }
        let health = node.health();
        for stuck in health.stuck() {
            miss("progress", stuck.to_string());
        }
        if health.room().level() > Level::Ample {
            let free = health.room().space();
            let free = free.map_or(String::new(), |space| {
                format!(" ({} MB left)", space.free >> 20)
            });
            miss("disk", format!("the disk is full{free}: make room"));
        }
        if self
            .read_model
            .as_ref()
            .is_some_and(|model| !model.is_open())
        {
            miss("read_model", "people's lists are not open yet".to_owned());
        }
        if let Some(why) = self.tls.get().and_then(|tls| tls.valid_now().err()) {
            miss("certificate", why.to_string());
        }
        found
    }
}

/// What operators want of this node that buyers should go elsewhere for.
fn unwanted(id: u64, replicas: &Replicas) -> Option<&'static str> {
    replicas.catalogue.look(|catalogue, _, _| {
        let registry = catalogue.registry();
        if registry.gone().contains(&id) {
            return Some("this node was removed from the cluster");
        }
        match registry.state(id)? {
            NodeState::Member => None,
            NodeState::Draining => Some("this node is being drained (usher cluster undrain)"),
            NodeState::Leaving => Some("this node is being removed from the cluster"),
        }
    })
}
