//! What an organizer says of a new event, and its check: every refusal names the field.

use std::collections::HashSet;

use cluster::names;
use cluster::route::SHARDS_MAX;
use ledger::event::{EventRules, Layout, QueueRules, Sale};
use ledger::limits::{
    HOLD_MS_MAX, SEATS_PER_ORDER_MAX, SEATS_PER_SECTION_MAX, SECTIONS_PER_EVENT_MAX,
    STANDING_CAPACITY_MAX,
};
use ledger::{SeatNo, ShardId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::text;

const NAME_CHARS_MAX: usize = 200;
const SECTION_NAME_CHARS_MAX: usize = 64;
const BEACON_BYTES_MAX: usize = 1_024;
/// Prices are JSON numbers that every client must be able to hold exactly, 64 seats of them.
const PRICE_MAX: u64 = 1_000_000_000_000;
/// More people a minute than anybody has tickets for.
pub const ADMIT_PER_MINUTE_MAX: u32 = 10_000_000;

/// A new event.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// Title, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Where, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub venue: String,
    /// When the sale opens by itself, RFC 3339.
    #[schema(format = "date-time")]
    pub opens_at: String,
    /// ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// How long a hold lasts.
    #[serde(default = "default_hold_seconds")]
    #[schema(minimum = 1, maximum = 86400, default = 600)]
    pub hold_seconds: u32,
    /// Seats in one order.
    #[schema(minimum = 1, maximum = 64)]
    pub max_per_order: u16,
    /// Seats one person may have.
    #[schema(minimum = 1, maximum = 65535)]
    pub max_per_buyer: u16,
    /// The waiting room; null for none.
    pub queue: Option<QueueRequest>,
    /// Shards to spread the sections over, or all when there are fewer; by default one for every
    /// 100,000 places. More sell faster on many cores; fewer make an order cheaper.
    #[schema(minimum = 1, maximum = 4095)]
    pub spread: Option<u16>,
    /// The sections.
    #[schema(min_items = 1, max_items = 2000)]
    pub sections: Vec<SectionRequest>,
}

fn default_hold_seconds() -> u32 {
    600
}

/// A waiting room.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueRequest {
    /// People admitted a minute.
    #[schema(minimum = 0, maximum = 10000000)]
    pub admit_per_minute: u32,
    /// `random`: one draw at the opening, first come first served after it.
    #[serde(default = "default_draw")]
    #[schema(pattern = "^random$", default = "random")]
    pub draw: String,
    /// A public value nobody here could choose, mixed into the draw.
    #[schema(max_length = 1024)]
    pub beacon: Option<String>,
}

fn default_draw() -> String {
    "random".to_owned()
}

/// A section: `rows` and `seats_per_row`, or `capacity`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SectionRequest {
    /// Unique within the event, 1 to 64 letters, digits, spaces, `_`, `.` or `-`.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// Rows of numbered seats.
    #[schema(minimum = 1, maximum = 60000)]
    pub rows: Option<u16>,
    /// Seats in each row.
    #[schema(minimum = 1, maximum = 60000)]
    pub seats_per_row: Option<u16>,
    /// Places without numbers.
    #[schema(minimum = 1, maximum = 1000000)]
    pub capacity: Option<u32>,
    /// Minor units, each.
    #[schema(minimum = 0, maximum = 1000000000000i64)]
    pub price: u64,
    /// Zone; smaller is better.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 65535, default = 0)]
    pub tier: u16,
    /// Seats that are not for sale.
    #[serde(default)]
    pub blocked: Vec<String>,
    /// Seats for wheelchair users.
    #[serde(default)]
    pub accessible: Vec<String>,
}

/// A created event.
#[derive(Serialize, ToSchema)]
pub struct CreatedAnswer {
    /// Its id.
    pub event_id: String,
    /// SHA-256 of the secret behind the draw; null without a waiting room.
    pub draw_commitment: Option<String>,
}

/// A section, checked.
pub struct CheckedSection {
    /// How its places are arranged.
    pub layout: Layout,
    /// Minor units.
    pub price: u64,
    /// Zone.
    pub tier: u16,
}

/// An event, checked.
pub struct Checked {
    /// Its rules, but for the room's shard and the secret.
    pub rules: EventRules,
    /// Its sections.
    pub sections: Vec<CheckedSection>,
}

impl CreateRequest {
    /// Checks everything; the first offence is told by its field.
    pub fn check(&self, secret: [u8; 32]) -> Result<Checked, Problem> {
        printable("name", &self.name, NAME_CHARS_MAX)?;
        printable("venue", &self.venue, NAME_CHARS_MAX)?;
        let opens_at = text::parse_time(&self.opens_at)
            .ok_or_else(|| Problem::field("opens_at", "an RFC 3339 time since 1970"))?;
        let letters = self.currency.as_bytes();
        let currency: [u8; 3] = letters
            .try_into()
            .ok()
            .filter(|code: &[u8; 3]| code.iter().all(u8::is_ascii_uppercase))
            .ok_or_else(|| Problem::field("currency", "three capital letters (ISO 4217)"))?;
        let hold_ms = u64::from(self.hold_seconds) * 1_000;
        within(
            "hold_seconds",
            u64::from(self.hold_seconds),
            1,
            HOLD_MS_MAX / 1_000,
        )?;
        within(
            "max_per_order",
            u64::from(self.max_per_order),
            1,
            u64::from(SEATS_PER_ORDER_MAX),
        )?;
        within(
            "max_per_buyer",
            u64::from(self.max_per_buyer),
            1,
            u64::from(u16::MAX),
        )?;
        if let Some(spread) = self.spread {
            within("spread", u64::from(spread), 1, SHARDS_MAX.into())?;
        }
        let queue = self
            .queue
            .as_ref()
            .map(|queue| queue.check(secret))
            .transpose()?;
        within(
            "sections",
            self.sections.len() as u64,
            1,
            SECTIONS_PER_EVENT_MAX as u64,
        )?;
        let mut names = HashSet::new();
        let mut sections = Vec::with_capacity(self.sections.len());
        for (number, section) in self.sections.iter().enumerate() {
            if !names.insert(section.name.as_str()) {
                return Err(Problem::field(
                    format!("sections[{number}].name"),
                    "this name is taken",
                ));
            }
            sections.push(section.check(number)?);
        }
        let rules = EventRules {
            sale: Sale::Scheduled,
            opens_at,
            hold_ms,
            order_seats_max: self.max_per_order,
            buyer_seats_max: self.max_per_buyer,
            currency,
            queue,
            room_shard: ShardId(1),
        };
        Ok(Checked { rules, sections })
    }
}

impl QueueRequest {
    fn check(&self, secret: [u8; 32]) -> Result<QueueRules, Problem> {
        let rate = u64::from(self.admit_per_minute);
        within(
            "queue.admit_per_minute",
            rate,
            0,
            u64::from(ADMIT_PER_MINUTE_MAX),
        )?;
        if self.draw != "random" {
            return Err(Problem::field("queue.draw", "only random"));
        }
        let beacon = self.beacon.clone().unwrap_or_default().into_bytes();
        within(
            "queue.beacon",
            beacon.len() as u64,
            0,
            BEACON_BYTES_MAX as u64,
        )?;
        Ok(QueueRules {
            admit_per_minute: self.admit_per_minute,
            secret,
            beacon,
        })
    }
}

impl SectionRequest {
    fn check(&self, number: usize) -> Result<CheckedSection, Problem> {
        let field = |name: &str| format!("sections[{number}].{name}");
        printable(&field("name"), &self.name, SECTION_NAME_CHARS_MAX)?;
        let plain = |letter: char| letter.is_alphanumeric() || " _.-".contains(letter);
        if !self.name.chars().all(plain) || self.name.trim() != self.name {
            return Err(Problem::field(
                field("name"),
                "letters, digits, spaces, _, . and -",
            ));
        }
        within(&field("price"), self.price, 0, PRICE_MAX)?;
        let layout = match (self.rows, self.seats_per_row, self.capacity) {
            (Some(rows), Some(seats_per_row), None) => self.seated(number, rows, seats_per_row)?,
            (None, None, Some(capacity)) => {
                within(
                    &field("capacity"),
                    u64::from(capacity),
                    1,
                    u64::from(STANDING_CAPACITY_MAX),
                )?;
                if !self.blocked.is_empty() {
                    return Err(Problem::field(
                        field("blocked"),
                        "this section has no numbered seats",
                    ));
                }
                if !self.accessible.is_empty() {
                    return Err(Problem::field(
                        field("accessible"),
                        "this section has no numbered seats",
                    ));
                }
                Layout::Standing { capacity }
            }
            (Some(_), None, None) => {
                return Err(Problem::field(
                    field("seats_per_row"),
                    "missing beside rows",
                ));
            }
            (None, Some(_), None) => {
                return Err(Problem::field(
                    field("rows"),
                    "missing beside seats_per_row",
                ));
            }
            (None, None, None) => {
                return Err(Problem::field(
                    field("capacity"),
                    "rows and seats_per_row, or capacity",
                ));
            }
            (_, _, Some(_)) => {
                return Err(Problem::field(
                    field("capacity"),
                    "either capacity, or rows and seats_per_row",
                ));
            }
        };
        Ok(CheckedSection {
            layout,
            price: self.price,
            tier: self.tier,
        })
    }

    fn seated(&self, number: usize, rows: u16, seats_per_row: u16) -> Result<Layout, Problem> {
        let field = |name: &str| format!("sections[{number}].{name}");
        within(
            &field("rows"),
            u64::from(rows),
            1,
            u64::from(SEATS_PER_SECTION_MAX),
        )?;
        within(
            &field("seats_per_row"),
            u64::from(seats_per_row),
            1,
            u64::from(SEATS_PER_SECTION_MAX),
        )?;
        let seats = u32::from(rows) * u32::from(seats_per_row);
        if seats > SEATS_PER_SECTION_MAX {
            let detail = format!("{seats} seats; one section has at most {SEATS_PER_SECTION_MAX}");
            return Err(Problem::field(field("rows"), detail));
        }
        let listed = |name: &str, ids: &[String]| -> Result<Vec<SeatNo>, Problem> {
            let mut seats = Vec::with_capacity(ids.len());
            for (at, id) in ids.iter().enumerate() {
                let seat = names::parse_seat_id(id)
                    .filter(|(section, ..)| *section == self.name)
                    .and_then(|(_, row, place)| names::seat_no(rows, seats_per_row, row, place))
                    .ok_or_else(|| {
                        Problem::field(format!("{}[{at}]", field(name)), "no seat of this section")
                    })?;
                seats.push(seat);
            }
            seats.sort_unstable();
            if seats.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(Problem::field(field(name), "a seat is listed twice"));
            }
            Ok(seats)
        };
        let blocked = listed("blocked", &self.blocked)?;
        let accessible = listed("accessible", &self.accessible)?;
        Ok(Layout::Seated {
            rows,
            seats_per_row,
            blocked,
            accessible,
        })
    }
}

fn within(field: &str, value: u64, min: u64, max: u64) -> Result<(), Problem> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Problem::field(field, format!("{min} to {max}")))
}

fn printable(field: &str, text: &str, max: usize) -> Result<(), Problem> {
    let count = text.chars().count();
    if (1..=max).contains(&count) && !text.chars().any(char::is_control) && !text.trim().is_empty()
    {
        return Ok(());
    }
    Err(Problem::field(
        field,
        format!("1 to {max} printable characters"),
    ))
}
