//! What a buyer wants, given what the seat map shows. Pure: a map, some dice, a wish.

use serde_json::{Value, json};

use super::messages::{SeatMap, SectionMap};
use crate::dice::Dice;

/// Tries to find enough free seats in a randomly chosen section.
const LOOKS: usize = 12;

/// What to ask for, as the API's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// These seats, and places without numbers.
    Places {
        /// Seat ids.
        seats: Vec<String>,
        /// A standing section and how many places there.
        standing: Option<(String, u64)>,
    },
    /// The best seats that are left.
    Best {
        /// How many.
        count: u64,
    },
}

impl Wish {
    /// The body of `POST /api/v1/seats/reserve`.
    pub fn body(&self, event: &str, queue_token: &str) -> Value {
        let mut body = json!({ "event_id": event, "queue_token": queue_token });
        match self {
            Self::Best { count } => body["best_available"] = json!({ "count": count }),
            Self::Places { seats, standing } => {
                if !seats.is_empty() {
                    body["seat_ids"] = json!(seats);
                }
                if let Some((section, count)) = standing {
                    body["general_admission"] = json!([{ "section": section, "count": count }]);
                }
            }
        }
        body
    }

    /// How many places it names.
    pub fn count(&self) -> u64 {
        match self {
            Self::Best { count } => *count,
            Self::Places { seats, standing } => {
                seats.len() as u64 + standing.as_ref().map_or(0, |(_, count)| *count)
            }
        }
    }
}

/// Makes up a buyer's mind; `None` when the map shows nothing free.
pub fn choose(map: &SeatMap, dice: &mut Dice) -> Option<Wish> {
    let count = 1 + dice.below(4);
    let wish = match dice.below(100) {
        0..30 => Some(Wish::Best { count }),
        30..45 => two_sections(map, count.max(2), dice),
        45..60 => standing(map, count, dice).map(only_standing),
        60..65 => seat_and_standing(map, dice),
        _ => adjacent(map, count, dice).map(only_seats),
    };
    wish.or_else(|| whatever_is_left(map, count, dice))
}

fn only_seats(seats: Vec<String>) -> Wish {
    Wish::Places {
        seats,
        standing: None,
    }
}

fn only_standing(standing: (String, u64)) -> Wish {
    Wish::Places {
        seats: Vec::new(),
        standing: Some(standing),
    }
}

/// Free seats beside each other, in a row of some section.
fn adjacent(map: &SeatMap, count: u64, dice: &mut Dice) -> Option<Vec<String>> {
    let count = count as usize;
    (0..LOOKS).find_map(|_| {
        let section = random(&map.sections, dice)?;
        let states = section.states.as_ref()?.as_bytes();
        let width = section.seats_per_row();
        let row = dice.index(section.rows as usize);
        let row_states = states.get(row * width..(row + 1) * width)?;
        let starts = row_states.windows(count).enumerate();
        let free: Vec<usize> = starts
            .filter(|(_, seats)| seats.iter().all(|&state| state == b'A'))
            .map(|(start, _)| start)
            .collect();
        let start = row * width + *random(&free, dice)?;
        Some(
            (start..start + count)
                .map(|seat| section.seat_id(seat))
                .collect(),
        )
    })
}

fn two_sections(map: &SeatMap, count: u64, dice: &mut Dice) -> Option<Wish> {
    let mut seats = adjacent(map, count.div_ceil(2), dice)?;
    let prefix = |seat: &str| seat.split('-').next().unwrap_or_default().to_owned();
    let first = prefix(&seats[0]);
    let second = (0..LOOKS)
        .find_map(|_| adjacent(map, count / 2, dice).filter(|seats| prefix(&seats[0]) != first))?;
    seats.extend(second);
    Some(only_seats(seats))
}

fn standing(map: &SeatMap, count: u64, dice: &mut Dice) -> Option<(String, u64)> {
    let open = |section: &&SectionMap| section.states.is_none() && section.available > 0;
    let sections: Vec<_> = map.sections.iter().filter(open).collect();
    let section = random(&sections, dice)?;
    Some((section.name.clone(), count.min(section.available)))
}

fn seat_and_standing(map: &SeatMap, dice: &mut Dice) -> Option<Wish> {
    let seats = adjacent(map, 1, dice)?;
    Some(Wish::Places {
        seats,
        standing: Some(standing(map, 1, dice)?),
    })
}

/// Late in the sale: any seats of one section that still has some, or any standing place.
fn whatever_is_left(map: &SeatMap, count: u64, dice: &mut Dice) -> Option<Wish> {
    let start = dice.index(map.sections.len().max(1));
    let around = map
        .sections
        .iter()
        .cycle()
        .skip(start)
        .take(map.sections.len());
    for section in around {
        let Some(states) = &section.states else {
            continue;
        };
        let free = states
            .bytes()
            .enumerate()
            .filter(|(_, state)| *state == b'A');
        let free: Vec<usize> = free.map(|(index, _)| index).collect();
        if free.is_empty() {
            continue;
        }
        let take = (count as usize).min(free.len());
        let start = dice.index(free.len() - take + 1);
        let seats = free[start..start + take]
            .iter()
            .map(|&seat| section.seat_id(seat))
            .collect();
        return Some(only_seats(seats));
    }
    standing(map, count, dice).map(only_standing)
}

fn random<'a, T>(items: &'a [T], dice: &mut Dice) -> Option<&'a T> {
    items.get(dice.index(items.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn section(name: &str, rows: u32, states: &str) -> SectionMap {
        SectionMap {
            name: name.to_owned(),
            rows,
            states: Some(states.to_owned()),
            available: 0,
        }
    }

    fn floor(available: u64) -> SectionMap {
        SectionMap {
            name: "Floor".to_owned(),
            available,
            ..SectionMap::default()
        }
    }

    fn is_free(map: &SeatMap, seat: &str) -> bool {
        map.sections.iter().any(|section| {
            let states = section.states.as_deref().unwrap_or_default();
            states
                .bytes()
                .enumerate()
                .any(|(i, s)| s == b'A' && section.seat_id(i) == seat)
        })
    }

    #[test]
    fn wishes_are_of_every_kind_and_name_only_distinct_free_seats() {
        let map = SeatMap {
            sections: vec![
                section("A", 3, "AAAAAAAAAAAAAASHBAAAA"),
                section("B", 2, "AAAAAAAAAAAAAAAA"),
                floor(50),
            ],
        };
        let mut dice = Dice::seeded(3);
        let (mut best, mut floor_only, mut two) = (0, 0, 0);
        for _ in 0..2_000 {
            match choose(&map, &mut dice).unwrap() {
                Wish::Best { count } => best += u64::from((1..=4).contains(&count)),
                Wish::Places { seats, standing } => {
                    let wish = Wish::Places {
                        seats: seats.clone(),
                        standing,
                    };
                    assert!((1..=4).contains(&wish.count()), "{wish:?}");
                    assert!(seats.iter().all(|seat| is_free(&map, seat)), "{seats:?}");
                    assert_eq!(seats.iter().collect::<BTreeSet<_>>().len(), seats.len());
                    let prefixes: BTreeSet<_> = seats.iter().map(|seat| &seat[..1]).collect();
                    two += u64::from(prefixes.len() == 2);
                    floor_only += u64::from(seats.is_empty());
                }
            }
        }
        assert!(
            best > 400 && floor_only > 100 && two > 100,
            "{best} {floor_only} {two}"
        );
    }

    #[test]
    fn the_last_seat_and_the_last_standing_place_are_found_and_nothing_is_wished_for_after_them() {
        let mut dice = Dice::seeded(4);
        let last = SeatMap {
            sections: vec![section("A", 1, "SSSA"), floor(0)],
        };
        let found = (0..200)
            .filter_map(|_| choose(&last, &mut dice))
            .any(|wish| wish == only_seats(vec!["A-1-4".to_owned()]));
        assert!(found);
        let standing = SeatMap {
            sections: vec![section("A", 1, "SSSS"), floor(1)],
        };
        let found = (0..200).filter_map(|_| choose(&standing, &mut dice));
        assert!(found.filter(|wish| wish.count() == 1).count() > 20);
        let none = SeatMap {
            sections: vec![section("A", 1, "SHBS"), floor(0)],
        };
        let best_only = (0..200).filter_map(|_| choose(&none, &mut dice));
        assert!(
            best_only
                .into_iter()
                .all(|wish| matches!(wish, Wish::Best { .. }))
        );
    }

    #[test]
    fn bodies_carry_exactly_one_kind_of_wish() {
        let body = Wish::Best { count: 3 }.body("e", "q");
        assert_eq!(
            body,
            json!({"event_id": "e", "queue_token": "q", "best_available": {"count": 3}})
        );
        let wish = Wish::Places {
            seats: vec![],
            standing: Some(("Floor".to_owned(), 2)),
        };
        let body = wish.body("e", "q");
        assert_eq!(
            body["general_admission"],
            json!([{"section": "Floor", "count": 2}])
        );
        assert!(body.get("seat_ids").is_none());
    }
}
