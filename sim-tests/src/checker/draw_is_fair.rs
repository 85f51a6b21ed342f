//! P6: the draw is what its published ingredients say, by an account of its own: the Merkle root
//! of the roster, the seed, the permutation, written down here again from their description
//! (`ledger/src/queue/draw.rs`); the secret is the one committed to before anybody joined; every
//! position is given once.

use std::collections::BTreeSet;

use api::text::{hex, parse_event};
use ledger::{BuyerId, EventId};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Course;
use super::course::{DrawnView, RoomView};
use crate::client::Reply;

type Hash = [u8; 32];

pub(super) fn check(course: &Course) -> Vec<String> {
    let mut wrong = Vec::new();
    for room in &course.rooms {
        published(course, room, &mut wrong);
        if let Some(drawn) = &room.drawn {
            recompute(room, drawn, &mut wrong);
        }
    }
    wrong
}

fn recompute(room: &RoomView, drawn: &DrawnView, wrong: &mut Vec<String>) {
    let mut note = |what: &str| wrong.push(format!("the draw of {:032x}: {what}", room.event.0));
    let Some(roster) = room.roster.get(..drawn.people as usize) else {
        return note("more people than the roster has");
    };
    let root = root(roster);
    if root != drawn.root {
        note("its root is not the roster's");
    }
    let seed = seed(&room.secret, &root, drawn.people, &drawn.beacon);
    if seed != drawn.seed {
        note("its seed does not follow");
    }
    let expected: Vec<u64> = (0..drawn.people)
        .map(|index| position(&seed, drawn.people, index))
        .collect();
    if expected != drawn.positions {
        note("its positions do not follow");
    }
    let once: BTreeSet<_> = drawn
        .positions
        .iter()
        .filter(|at| **at < drawn.people)
        .collect();
    if once.len() as u64 != drawn.people {
        note("a position was given twice, or never");
    }
}

/// What anybody was told of the draw.
fn published(course: &Course, room: &RoomView, wrong: &mut Vec<String>) {
    let commitment = hex(&Sha256::digest(room.secret));
    for op in &course.ops {
        let Reply::Answered(200, body) = &op.reply else {
            continue;
        };
        let of_room = op.path.ends_with("/queue") && event(body) == Some(room.event);
        if !of_room {
            continue;
        }
        let draw = &body["draw"];
        let drawn = room.drawn.as_ref();
        let fits = |field: &str, is: Option<String>| match draw[field].as_str() {
            Some(told) => is.as_deref() == Some(told),
            None => true,
        };
        let honest = draw["commitment"] == commitment.as_str()
            && fits("secret", drawn.map(|_| hex(&room.secret)))
            && fits("seed", drawn.map(|drawn| hex(&drawn.seed)))
            && fits("root", drawn.map(|drawn| hex(&drawn.root)));
        if !honest {
            wrong.push(format!("{} was told of another draw: {draw}", op.who));
        }
    }
}

fn event(body: &Value) -> Option<EventId> {
    parse_event(body["event_id"].as_str()?)
}

/// RFC 6962 §2.1, as it is written there.
fn root(roster: &[BuyerId]) -> Hash {
    let mut hasher = Sha256::new();
    match roster {
        [] => {}
        [one] => {
            hasher.update([0]);
            hasher.update(one.0.to_be_bytes());
        }
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            hasher.update([1]);
            hasher.update(root(left));
            hasher.update(root(right));
        }
    }
    hasher.finalize().into()
}

fn seed(secret: &Hash, root: &Hash, people: u64, beacon: &[u8]) -> Hash {
    let mut bytes = b"usher draw 1".to_vec();
    bytes.extend(secret);
    bytes.extend(root);
    bytes.extend(people.to_be_bytes());
    bytes.extend(beacon);
    Sha256::digest(bytes).into()
}

/// The key of a round's half.
fn key(seed: &Hash, number: usize) -> u64 {
    let mut bytes = b"usher round keys 1".to_vec();
    bytes.extend(seed);
    bytes.push((number / 4) as u8);
    let block: Hash = Sha256::digest(bytes).into();
    let at = number % 4 * 8;
    u64::from_be_bytes(block[at..at + 8].try_into().expect("8 of 32 bytes"))
}

fn position(seed: &Hash, people: u64, index: u64) -> u64 {
    const M1: u64 = 0x9e37_79b9_7f4a_7c15;
    const M2: u64 = 0xbf58_476d_1ce4_e5b9;
    let mut bits = 2;
    while bits < 64 && (people - 1) >> bits > 0 {
        bits += 1;
    }
    let low_bits = bits / 2;
    let f = |round: usize, x: u64| {
        let mut z = (x ^ key(seed, 2 * round)).wrapping_mul(M1);
        z ^= z >> 32;
        z = (z ^ key(seed, 2 * round + 1)).wrapping_mul(M2);
        z ^= z >> 29;
        z = z.wrapping_mul(M1);
        z ^ (z >> 32)
    };
    let mut x = index;
    loop {
        let (mut low, mut high) = (x % (1 << low_bits), x >> low_bits);
        for round in 0..12 {
            if round % 2 == 0 {
                high ^= f(round, low) % (1 << (bits - low_bits));
            } else {
                low ^= f(round, high) % (1 << low_bits);
            }
        }
        x = (high << low_bits) + low;
        if x < people {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::ShardId;
    use ledger::queue::draw::Permutation;

    use super::*;
    use crate::checker::hand::with;

    fn room(people: u64) -> RoomView {
        let roster: Vec<_> = (0..u128::from(people)).map(BuyerId).collect();
        let (secret, root) = ([3; 32], root(&roster));
        let seed = seed(&secret, &root, people, b"b");
        let permutation = Permutation::new(&seed, people);
        let positions = (0..people)
            .filter_map(|index| permutation.position(index))
            .collect();
        RoomView {
            event: EventId(1),
            shard: ShardId(1),
            roster,
            secret,
            drawn: Some(DrawnView {
                people,
                root,
                beacon: b"b".to_vec(),
                seed,
                positions,
            }),
        }
    }

    fn run(room: RoomView) -> usize {
        let mut course = with(Vec::new());
        course.rooms.push(room);
        check(&course).len()
    }

    #[test]
    fn the_ledgers_draw_is_the_described_one() {
        for people in [1, 2, 3, 7, 40, 65] {
            assert_eq!(run(room(people)), 0, "{people}");
        }
    }

    #[test]
    fn a_draw_that_was_steered_is_seen() {
        let change = |change: fn(&mut RoomView, &mut DrawnView)| {
            let mut room = room(9);
            let mut drawn = room.drawn.take().expect("drawn");
            change(&mut room, &mut drawn);
            room.drawn = Some(drawn);
            run(room)
        };
        assert!(change(|_, drawn| drawn.positions.swap(0, 1)) > 0);
        assert!(change(|_, drawn| drawn.positions[0] = drawn.positions[1]) > 0);
        assert!(change(|room, _| room.roster.swap(0, 1)) > 0);
        assert!(change(|room, _| room.secret = [4; 32]) > 0);
        assert!(change(|_, drawn| drawn.beacon.clear()) > 0);
    }
}
