//! The event of the demo: a stadium of exactly so many seats, in blocks with rows, a few standing
//! areas, some blocked seats and some for wheelchair users.

use serde_json::{Value, json};

const SECTIONS: u32 = 70;
/// Places per section that a smaller event aims at.
const SECTION_PLACES: u32 = 1_000;
const ROW_WIDTH_MAX: u32 = 40;

/// One section, as the API wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionPlan {
    /// Its name.
    pub name: String,
    /// Rows and seats per row; `None` for standing.
    pub grid: Option<(u32, u32)>,
    /// Places.
    pub capacity: u32,
    /// Minor units.
    pub price: u64,
    /// Zone; smaller is better.
    pub tier: u16,
    /// Seats not for sale, by id.
    pub blocked: Vec<String>,
    /// Seats for wheelchair users, by id.
    pub accessible: Vec<String>,
}

/// A stadium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stadium {
    /// Its sections.
    pub sections: Vec<SectionPlan>,
}

impl Stadium {
    /// One with exactly so many places, blocked ones included.
    pub fn with_places(places: u32) -> Self {
        let count = (places / SECTION_PLACES).clamp(2, SECTIONS);
        let standing_count = (count / 16).max(1);
        let seated_count = count - standing_count;
        let seated_places = places / 100 * 85 / seated_count;
        let width = (seated_places / 2).isqrt().clamp(1, ROW_WIDTH_MAX);
        let rows = seated_places / width;
        let mut sections = Vec::new();
        if rows > 0 {
            sections.extend((0..seated_count).map(|index| seated(index, rows, width)));
        }
        let mut rest = places - rows * width * seated_count;
        for index in 0..standing_count {
            let capacity = rest / (standing_count - index);
            rest -= capacity;
            if capacity > 0 {
                sections.push(standing(index, capacity));
            }
        }
        Self { sections }
    }

    /// All places.
    pub fn places(&self) -> u32 {
        self.sections.iter().map(|section| section.capacity).sum()
    }

    /// The `sections` of `POST /api/v1/events`.
    pub fn to_json(&self) -> Value {
        let section = |plan: &SectionPlan| match plan.grid {
            Some((rows, seats_per_row)) => json!({
                "name": plan.name, "rows": rows, "seats_per_row": seats_per_row,
                "price": plan.price, "tier": plan.tier,
                "blocked": plan.blocked, "accessible": plan.accessible,
            }),
            None => json!({
                "name": plan.name, "capacity": plan.capacity,
                "price": plan.price, "tier": plan.tier,
            }),
        };
        self.sections.iter().map(section).collect()
    }
}

fn seated(index: u32, rows: u32, width: u32) -> SectionPlan {
    let name = format!("B{:02}", index + 1);
    let tier = (index % 4) as u16;
    let seat = |row: u32, number: u32| format!("{name}-{row}-{number}");
    // Behind every fifth block's last row stands a camera; every third has places for wheelchairs.
    let camera = index.is_multiple_of(5) && rows > 1 && width > 2;
    let wheelchairs = index.is_multiple_of(3) && width > 4;
    SectionPlan {
        blocked: if camera {
            vec![seat(rows, 1), seat(rows, 2)]
        } else {
            Vec::new()
        },
        accessible: if wheelchairs {
            vec![seat(1, 1), seat(1, width)]
        } else {
            Vec::new()
        },
        grid: Some((rows, width)),
        capacity: rows * width,
        price: 12_000 - 2_000 * u64::from(tier),
        tier,
        name,
    }
}

fn standing(index: u32, capacity: u32) -> SectionPlan {
    SectionPlan {
        name: format!("Floor{}", index + 1),
        grid: None,
        capacity,
        price: 4_500,
        tier: 4,
        blocked: Vec::new(),
        accessible: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stadium_has_exactly_the_places_asked_for_and_stays_within_the_limits() {
        for places in (1..3_000).chain([4_999, 70_000, 70_001, 123_457, 1_000_000]) {
            let stadium = Stadium::with_places(places);
            assert_eq!(stadium.places(), places);
            for section in &stadium.sections {
                assert!(section.capacity > 0, "{places}: {section:?}");
                if let Some((rows, width)) = section.grid {
                    assert_eq!(rows * width, section.capacity);
                    assert!(
                        section.capacity <= 60_000 && section.blocked.len() < rows as usize * 2
                    );
                }
            }
        }
    }

    #[test]
    fn the_big_one_has_seventy_sections_of_both_kinds_and_blocked_seats() {
        let stadium = Stadium::with_places(70_000);
        assert_eq!(stadium.sections.len(), 70);
        let standing = stadium
            .sections
            .iter()
            .filter(|section| section.grid.is_none())
            .count();
        assert_eq!(standing, 4);
        assert!(
            stadium
                .sections
                .iter()
                .any(|section| !section.blocked.is_empty())
        );
        let json = stadium.to_json();
        assert_eq!(json[0]["name"], "B01");
        assert!(json[69]["capacity"].is_number() && json[69]["rows"].is_null());
    }
}
