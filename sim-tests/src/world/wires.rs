//! Which nodes hear which. Several faults may cut one link at a time; it carries again once the
//! last of them is over.

use std::collections::BTreeMap;
use std::sync::Mutex;

use madsim::net::NetSim;
use madsim::task::NodeId;

/// A link, from one node to another.
pub type Link = (usize, usize);

/// All links.
#[derive(Default)]
pub struct Wires {
    nodes: Mutex<BTreeMap<usize, NodeId>>,
    cuts: Mutex<BTreeMap<Link, u32>>,
}

impl Wires {
    /// Lets a machine onto the network.
    pub fn plug(&self, node: usize, id: NodeId) {
        self.nodes
            .lock()
            .expect("nobody panics holding it")
            .insert(node, id);
    }

    /// Cuts links. What is under way on them waits.
    pub fn cut(&self, links: &[Link]) {
        for link in links {
            *self.cuts().entry(*link).or_default() += 1;
            if let Some((from, to)) = self.ends(*link) {
                NetSim::current().clog_link(from, to);
            }
        }
    }

    /// Takes one cut of each away.
    pub fn mend(&self, links: &[Link]) {
        for link in links {
            let mut cuts = self.cuts();
            let Some(left) = cuts.get_mut(link) else {
                continue;
            };
            *left -= 1;
            if *left > 0 {
                continue;
            }
            cuts.remove(link);
            if let Some((from, to)) = self.ends(*link) {
                NetSim::current().unclog_link(from, to);
            }
        }
    }

    /// Whether two nodes do not hear each other, in either direction.
    pub fn is_cut(&self, a: usize, b: usize) -> bool {
        let cuts = self.cuts();
        cuts.contains_key(&(a, b)) || cuts.contains_key(&(b, a))
    }

    /// Takes all cuts away.
    pub fn mend_all(&self) {
        let cuts = std::mem::take(&mut *self.cuts());
        for (from, to) in cuts.into_keys().filter_map(|link| self.ends(link)) {
            NetSim::current().unclog_link(from, to);
        }
    }

    fn cuts(&self) -> std::sync::MutexGuard<'_, BTreeMap<Link, u32>> {
        self.cuts.lock().expect("nobody panics holding it")
    }

    fn ends(&self, (from, to): Link) -> Option<(NodeId, NodeId)> {
        let nodes = self.nodes.lock().expect("nobody panics holding it");
        Some((*nodes.get(&from)?, *nodes.get(&to)?))
    }
}
