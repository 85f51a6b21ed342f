//! Where to cut: so that nobody knows what, by the others' account, has not happened yet.
//!
//! Groups commit by themselves, so indexes that were asked for one after the other cut through
//! conversations: a leg may hold seats for an order that its home has not opened, a message may
//! have arrived that was not sent, and would then be sent again under its number. What one group's
//! state says of another's past is a [`Need`]; a cut is consistent when none is unmet.
//!
//! A cut that is not is *closed*: the groups that are behind go on, entry by entry, until every
//! need is met. That ends. Whatever led to an entry was committed before that entry was proposed;
//! all entries of the first cut were proposed before the last answer to the question how far the
//! groups are; so all that is ever needed lies before the answers to a second such question. See
//! Chandy and Lamport, "Distributed Snapshots" (1985), for the notion, and ADR 0010 for the rest.

use std::collections::BTreeMap;
use std::fmt;

use cluster::SYSTEM_GROUP;
use ledger::message::Message;
use ledger::{EventId, Generation, LegKey, OrderId, ShardId};
use probes::Bug;
use raft_node::backup::{LogEntry, ScratchError};

use super::world::World;
use crate::node::backend::Replicas;

/// Something that one group's state says of another group's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A message has arrived: its sender has sent it.
    Sent {
        /// The sender.
        from: ShardId,
        /// The receiver.
        to: ShardId,
        /// Number of the last that arrived.
        through: u64,
    },
    /// A message was acknowledged: its receiver has received it.
    Received {
        /// The sender.
        from: ShardId,
        /// The receiver.
        to: ShardId,
        /// Number of the last acknowledged.
        through: u64,
    },
    /// A shard knows an event: so does the catalogue.
    Created {
        /// The show.
        event: EventId,
        /// At this version.
        version: u64,
    },
    /// The catalogue knows that a shard knows an event: it does.
    Installed {
        /// The show.
        event: EventId,
        /// The shard.
        shard: ShardId,
        /// At this version.
        version: u64,
    },
    /// A leg has seats: its home has opened the order.
    Opened {
        /// The leg.
        leg: LegKey,
        /// Its shard.
        shard: ShardId,
    },
    /// Home knows that a leg held: it did.
    Held {
        /// The leg.
        leg: LegKey,
        /// Its shard.
        shard: ShardId,
        /// Number of the hold.
        generation: Generation,
    },
    /// Home has spent somebody's pass: their room has admitted them.
    Admitted {
        /// The show.
        event: EventId,
        /// Where its room is.
        shard: ShardId,
        /// Their index.
        index: u64,
    },
}

impl Need {
    /// The group that has to go on until it is met.
    pub fn group(&self) -> u32 {
        match *self {
            Self::Sent { from, .. } => from.0.into(),
            Self::Received { to, .. } => to.0.into(),
            Self::Created { .. } => SYSTEM_GROUP,
            Self::Opened { leg, .. } => leg.order.home().0.into(),
            Self::Installed { shard, .. }
            | Self::Held { shard, .. }
            | Self::Admitted { shard, .. } => shard.0.into(),
        }
    }

    /// The group whose state says so; `None` where that is not known.
    pub fn knower(&self, replicas: &Replicas) -> Option<u32> {
        match *self {
            Self::Sent { to, .. } => Some(to.0.into()),
            Self::Received { from, .. } => Some(from.0.into()),
            Self::Created { event, version } => {
                let mut shards = replicas.ledgers.iter();
                let knows = |ledger: &ledger::Ledger| {
                    let known = ledger.event(event);
                    known.is_some_and(|known| known.plan.version >= version)
                };
                let found = shards.find(|(_, shard)| shard.look(|ledger, _, _| knows(ledger)));
                found.map(|(shard, _)| shard.0.into())
            }
            Self::Installed { .. } => Some(SYSTEM_GROUP),
            Self::Opened { shard, .. } => Some(shard.0.into()),
            Self::Held { leg, .. } => Some(leg.order.home().0.into()),
            Self::Admitted { .. } => None,
        }
    }

    /// Whether a state in which it is not met must be wrong. The others can be unmet in good
    /// states, too: home forgets an order that was closed long ago, a room its people.
    pub fn is_strict(&self) -> bool {
        !matches!(
            self,
            Self::Opened { .. } | Self::Held { .. } | Self::Admitted { .. }
        )
    }

    /// Whether it is met.
    pub fn is_met(&self, replicas: &Replicas) -> bool {
        let in_shard = |shard: ShardId, look: &dyn Fn(&ledger::Ledger) -> bool| {
            let replica = replicas.ledgers.get(&shard);
            replica.is_some_and(|replica| replica.look(|ledger, _, _| look(ledger)))
        };
        match *self {
            Self::Sent { from, to, through } => in_shard(from, &|ledger| {
                ledger.outbox(to).map_or(1, |outbox| outbox.next()) > through
            }),
            Self::Received { from, to, through } => {
                in_shard(to, &|ledger| ledger.received_through(from) >= through)
            }
            Self::Created { event, version } => replicas.catalogue.look(|catalogue, _, _| {
                let record = catalogue.event(event);
                record.is_some_and(|record| record.plan.version >= version)
            }),
            Self::Installed {
                event,
                shard,
                version,
            } => in_shard(shard, &|ledger| {
                let known = ledger.event(event);
                known.is_some_and(|known| known.plan.version >= version)
            }),
            Self::Opened { leg, shard } => in_shard(leg.order.home(), &|home| {
                knows(home, leg.order) || is_releasing(home, leg, shard)
            }),
            Self::Held {
                shard, generation, ..
            } => in_shard(shard, &|ledger| ledger.seats().marks().0 >= generation),
            Self::Admitted {
                event,
                shard,
                index,
            } => in_shard(shard, &|ledger| {
                let Some(room) = ledger.room(event) else {
                    return false;
                };
                let position = room.position(index);
                position.is_some_and(|position| position < room.cursor())
            }),
        }
    }
}

fn knows(home: &ledger::Ledger, order: OrderId) -> bool {
    home.order(order).is_some() || home.closed_order(order).is_some()
}

/// Whether home has forgotten the order, and the leg has only to hear of its end.
fn is_releasing(home: &ledger::Ledger, leg: LegKey, shard: ShardId) -> bool {
    let Some(outbox) = home.outbox(shard) else {
        return false;
    };
    let mut messages = outbox.messages();
    messages.any(|message| matches!(message, Message::Release { leg: of } if *of == leg))
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { from, to, through } => write!(
                f,
                "shard {to} has message {through} of shard {from}, which has not sent it"
            ),
            Self::Received { from, to, through } => write!(
                f,
                "shard {from} was told that shard {to} has message {through}, which it has not"
            ),
            Self::Created { event, version } => write!(
                f,
                "a shard has event {} at version {version}, and the catalogue has not",
                uuid::Uuid::from_u128(event.0)
            ),
            Self::Installed {
                event,
                shard,
                version,
            } => write!(
                f,
                "the catalogue says that shard {shard} has event {} at version {version}, and it has not",
                uuid::Uuid::from_u128(event.0)
            ),
            Self::Opened { leg, shard } => write!(
                f,
                "shard {shard} has seats for order {}, which its home has not opened",
                leg.order
            ),
            Self::Held { leg, shard, .. } => write!(
                f,
                "order {} has seats in shard {shard}, which has not held them",
                leg.order
            ),
            Self::Admitted { event, index, .. } => write!(
                f,
                "number {index} of the queue of event {} has reserved, and was not admitted",
                uuid::Uuid::from_u128(event.0)
            ),
        }
    }
}

/// How far a group is taken at least, when its leader says that it is committed up to `mark`.
pub fn least(mark: u64) -> u64 {
    match probes::planted(Bug::BackupWithoutLastSegment) {
        true => mark.saturating_sub(SEGMENT),
        false => mark,
    }
}

/// Entries that the planted [`Bug::BackupWithoutLastSegment`] leaves out.
const SEGMENT: u64 = 50;

/// What is unmet between these states.
pub fn unmet(replicas: &Replicas) -> Vec<Need> {
    let mut needs = Vec::new();
    replicas.catalogue.look(|catalogue, _, _| {
        needs.extend(
            catalogue
                .installed()
                .map(|(event, shard, version)| Need::Installed {
                    event,
                    shard,
                    version,
                }),
        );
    });
    for (&shard, replica) in &replicas.ledgers {
        replica.look(|ledger, _, _| of_ledger(shard, ledger, replicas, &mut needs));
    }
    needs.retain(|need| !need.is_met(replicas));
    needs
}

fn of_ledger(shard: ShardId, ledger: &ledger::Ledger, replicas: &Replicas, needs: &mut Vec<Need>) {
    for &from in replicas.ledgers.keys() {
        let through = ledger.received_through(from);
        if through > 0 {
            let to = shard;
            needs.push(Need::Sent { from, to, through });
        }
    }
    for (to, outbox) in ledger.outboxes() {
        if outbox.first() > 1 {
            needs.push(Need::Received {
                from: shard,
                to,
                through: outbox.first() - 1,
            });
        }
    }
    needs.extend(ledger.events().map(|event| Need::Created {
        event: event.plan.event,
        version: event.plan.version,
    }));
    let legs = ledger.seats().legs();
    let foreign = legs.into_iter().filter(|leg| leg.key.order.home() != shard);
    needs.extend(foreign.map(|leg| Need::Opened {
        leg: leg.key,
        shard,
    }));
    for order in ledger.orders() {
        for held in order.held_legs() {
            let part = &order.legs[usize::from(held.leg)];
            if part.shard != shard {
                needs.push(Need::Held {
                    leg: LegKey {
                        order: order.id,
                        leg: held.leg,
                    },
                    shard: part.shard,
                    generation: held.generation,
                });
            }
        }
        let queue = ledger.event(order.event).map(|event| &event.plan.rules);
        if let (Some(index), Some(rules)) = (order.pass_index(), queue)
            && rules.queue.is_some()
        {
            needs.push(Need::Admitted {
                event: order.event,
                shard: rules.room_shard,
                index,
            });
        }
    }
}

/// Lets groups go on into `ahead`, their next entries, until nothing is unmet that these can meet.
/// What is left is returned: good states may leave needs that are not strict.
pub fn close(
    world: &mut World,
    ahead: &BTreeMap<u32, Vec<LogEntry>>,
) -> Result<Vec<Need>, ScratchError> {
    loop {
        let (mut moved, left) = (false, unmet(&world.replicas));
        if probes::planted(Bug::BackupCutNotClosed) {
            return Ok(left);
        }
        for need in &left {
            let group = need.group();
            let entries = ahead.get(&group).map_or(&[][..], Vec::as_slice);
            let first = entries.first().map_or(0, |entry| entry.at.index);
            while !need.is_met(&world.replicas) {
                let at = world.group(group).next().checked_sub(first);
                let Some(entry) = at.and_then(|at| entries.get(at as usize)) else {
                    break;
                };
                world.apply(group, entry)?;
                moved = true;
            }
        }
        if !moved {
            return Ok(left);
        }
    }
}
