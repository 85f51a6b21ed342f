//! The room's part of the digest, and what a snapshot must carry of it.
//!
//! The roster goes in pieces of the caller's choosing ([`Room::roster`], [`Room::restore_people`]);
//! its look-up and its Merkle tree are rebuilt from it.

use probes::Bug;

use super::admission::{Admission, Mark};
use super::draw::Permutation;
use super::merkle::Hash;
use super::room::{Drawn, Room};
use crate::digest::Digest;
use crate::event::EventPlan;
use crate::ids::*;
use crate::seats::Stock;

/// What a snapshot keeps of a room besides its plan and its people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRoom {
    /// The show.
    pub event: EventId,
    /// The draw, once it is done.
    pub draw: Option<SavedDraw>,
    /// Positions below it have been admitted.
    pub cursor: u64,
    /// Unspent admissions, in 60,000ths of a person.
    pub credit: u64,
    /// When `credit` was brought up to date.
    pub stepped_at: Timestamp,
    /// When the cursor was where.
    pub marks: Vec<Mark>,
    /// What each shard has left.
    pub stock: Vec<(ShardId, Stock)>,
}

/// A draw that was held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedDraw {
    /// When.
    pub at: Timestamp,
    /// People who took part.
    pub people: u64,
    /// Root of their roster.
    pub root: Hash,
    /// The beacon value that went in.
    pub beacon: Vec<u8>,
    /// What came out.
    pub seed: Hash,
}

impl Room {
    /// What a snapshot keeps besides the plan and the people.
    pub fn save(&self) -> SavedRoom {
        if self.admission.cursor > 0 && probes::planted(Bug::SnapshotForgetsCursor) {
            let mut forgetful = self.clone();
            forgetful.admission.cursor = 0;
            forgetful.admission.marks.truncate(1);
            return forgetful.save();
        }
        SavedRoom {
            event: self.event,
            draw: self.draw.as_ref().map(|draw| SavedDraw {
                at: draw.at,
                people: draw.people,
                root: draw.root,
                beacon: draw.beacon.clone(),
                seed: draw.seed,
            }),
            cursor: self.admission.cursor,
            credit: self.admission.credit,
            stepped_at: self.admission.stepped_at,
            marks: self.admission.marks.iter().copied().collect(),
            stock: self.stock.clone(),
        }
    }

    /// A room from a snapshot; its people follow.
    pub fn restore(plan: &EventPlan, saved: SavedRoom) -> Self {
        let mut room = Self::new(plan);
        room.draw = saved.draw.map(|draw| Drawn {
            at: draw.at,
            people: draw.people,
            root: draw.root,
            beacon: draw.beacon,
            permutation: Permutation::new(&draw.seed, draw.people),
            seed: draw.seed,
        });
        room.admission = Admission {
            cursor: saved.cursor,
            credit: saved.credit,
            stepped_at: saved.stepped_at,
            marks: saved.marks.into(),
        };
        room.stock = saved.stock;
        room
    }

    /// The next people of the roster, from a snapshot.
    pub fn restore_people(&mut self, people: &[BuyerId]) {
        for buyer in people {
            self.roster.join(*buyer);
        }
    }

    /// Writes the room into the state's digest. The roster stands there by its root, so this
    /// costs no more for two million people.
    pub fn digest(&self, digest: &mut Digest) {
        digest.put_event(self.event);
        digest.put_u64(self.roster.len());
        digest.put_bytes(&self.roster.root());
        digest.put_bool(self.draw.is_some());
        if let Some(draw) = &self.draw {
            digest.put_time(draw.at);
            digest.put_u64(draw.people);
            digest.put_bytes(&draw.root);
            digest.put_bytes(&draw.beacon);
            digest.put_bytes(&draw.seed);
        }
        digest.put_u64(self.admission.cursor);
        digest.put_u64(self.admission.credit);
        digest.put_time(self.admission.stepped_at);
        digest.put_table("marks", self.admission.marks.len());
        for mark in &self.admission.marks {
            digest.put_time(mark.at);
            digest.put_u64(mark.cursor);
            digest.put_u64(mark.available);
        }
        digest.put_table("stock", self.stock.len());
        for (shard, stock) in &self.stock {
            digest.put_u16(shard.0);
            digest.put_u32(stock.available);
            digest.put_u32(stock.held);
        }
    }
}
