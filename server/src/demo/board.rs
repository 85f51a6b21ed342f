//! Which nodes run and how many groups each leads: for the display, and for choosing a victim.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::audit_client::fetch;
use crate::progress::NodeLine;

const DEADLINE: Duration = Duration::from_millis(800);

/// What is known of the nodes.
#[derive(Debug)]
pub struct Board {
    admins: Mutex<Vec<SocketAddr>>,
    lines: Mutex<Vec<NodeLine>>,
}

impl Board {
    /// All up, nobody leading yet. `doors` and `admins` in the order of node ids from 1.
    pub fn new(doors: &[SocketAddr], admins: &[SocketAddr]) -> Self {
        let lines = doors.iter().enumerate();
        Self {
            admins: Mutex::new(admins.to_vec()),
            lines: Mutex::new(lines.map(|(index, door)| line(index, *door)).collect()),
        }
    }

    /// A node joined.
    pub fn add(&self, door: SocketAddr, admin: SocketAddr) {
        let mut lines = self.lock();
        let added = line(lines.len(), door);
        lines.push(added);
        drop(lines);
        let mut admins = self.admins.lock().unwrap_or_else(PoisonError::into_inner);
        admins.push(admin);
    }

    /// The table.
    pub fn lines(&self) -> Vec<NodeLine> {
        self.lock().clone()
    }

    /// A node was killed or started.
    pub fn set_up(&self, index: usize, up: bool) {
        self.lock()[index].up = up;
    }

    /// Asks the nodes who leads what.
    pub async fn refresh(&self) {
        let admins = self.admins.lock();
        let admins = admins.unwrap_or_else(PoisonError::into_inner).clone();
        let leaders = leaders(&admins).await;
        for line in self.lock().iter_mut() {
            line.leads = leaders
                .values()
                .filter(|leader| **leader == line.id)
                .count();
        }
    }

    /// Index of the running node that leads most groups, and how many.
    pub fn leading_most(&self) -> Option<(usize, usize)> {
        let lines = self.lock();
        let up = lines.iter().enumerate().filter(|(_, line)| line.up);
        up.map(|(index, line)| (index, line.leads))
            .max_by_key(|&(_, leads)| leads)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<NodeLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For each group, who leads it in the highest term that any of these nodes knows of.
pub async fn leaders(admins: &[SocketAddr]) -> BTreeMap<u32, u64> {
    let mut leaders: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for admin in admins {
        let Ok(status) = fetch::status(*admin, DEADLINE).await else {
            continue;
        };
        for group in status.groups {
            let Some(leader) = group.leader else { continue };
            let known = leaders.entry(group.group).or_insert((group.term, leader));
            *known = (*known).max((group.term, leader));
        }
    }
    let leader = |(group, (_, leader))| (group, leader);
    leaders.into_iter().map(leader).collect()
}

fn line(index: usize, door: SocketAddr) -> NodeLine {
    NodeLine {
        id: index as u64 + 1,
        url: format!("http://{door}"),
        up: true,
        leads: 0,
    }
}
