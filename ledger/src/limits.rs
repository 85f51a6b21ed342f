//! Every bound of the ledger, by name and with its reason. Reaching one is a named rejection,
//! never a panic.

/// Seats in one leg. Groups larger than this are a matter for the box office.
pub const SEATS_PER_LEG_MAX: usize = 16;
/// Legs in one order.
pub const LEGS_PER_ORDER_MAX: usize = 8;
/// Seats in one order, over all legs.
pub const SEATS_PER_ORDER_MAX: u16 = 64;
/// Sections of one event.
pub const SECTIONS_PER_EVENT_MAX: usize = 2_000;
/// Seats of one numbered section; a seat number has 16 bits.
pub const SEATS_PER_SECTION_MAX: u32 = 60_000;
/// Places of one standing section.
pub const STANDING_CAPACITY_MAX: u32 = 1_000_000;
/// Events one shard keeps.
pub const EVENTS_MAX: usize = 10_000;
/// How long a hold may be asked to last.
pub const HOLD_MS_MAX: u64 = 24 * 3_600_000;
/// Shortest hold. Tests of expiry want short ones; buyers are given 10 minutes.
pub const HOLD_MS_MIN: u64 = 1_000;
/// How long an opened order waits for the door to drive its legs before the courier does.
pub const OPENING_GRACE_MS: u64 = 3_000;
/// How much longer a leg's shard waits before it ends the hold of another shard's order by itself.
/// Home decides, and its `Release` comes as soon as the two can talk: this is for a home that is
/// gone. It covers what home may have given back for an outage, and clocks that are far apart.
pub const LEG_MARGIN_MS: u64 = EXTENSION_MS_MAX;
/// How long home waits for all pins before it gives the order up.
pub const PINNING_MS: u64 = 15_000;
/// Authorizations tried for one order (each after the buyer asked again).
pub const PAYMENT_ATTEMPTS_MAX: u8 = 3;
/// How long a payment's outcome may stay unknown before it is cancelled.
pub const PAYMENT_UNKNOWN_MS: u64 = 600_000;
/// Bytes of an opaque payment method token.
pub const PAYMENT_METHOD_BYTES_MAX: usize = 128;
/// Bytes of a provider's reference.
pub const PROVIDER_REF_BYTES_MAX: usize = 128;
/// People in one lobby.
pub const LOBBY_MAX: u64 = 10_000_000;
/// Joins in one command.
pub const JOINS_PER_COMMAND_MAX: usize = 10_000;
/// Due things swept by one `Tick`, so that no entry stalls a shard.
pub const SWEEP_PER_TICK_MAX: usize = 1_000;
/// Unacknowledged messages to one shard; beyond it new orders are refused until they drain.
pub const OUTBOX_MAX: usize = 200_000;
/// Messages delivered by one command.
pub const MESSAGES_PER_DELIVERY_MAX: usize = 1_000;
/// Closed orders a shard remembers, to answer a repeated request the same way.
pub const CLOSED_ORDERS_MAX: usize = 1_000_000;
/// How long a closed order is remembered.
pub const CLOSED_ORDER_KEPT_MS: u64 = 3_600_000;
/// While holds are live a shard's clock is stamped at least this often, so that a longer gap in
/// it is an outage.
pub const CLOCK_BEAT_MS: u64 = 400;
/// A gap longer than this was an outage, and extends holds by its length.
pub const OUTAGE_MS: u64 = 800;
/// At most so much is given back for an outage.
pub const EXTENSION_MS_MAX: u64 = 600_000;
/// How long a pass is good for once its place was reached.
pub const PASS_MS: u64 = 30 * 60_000;
/// How often an open room's cursor moves.
pub const ADMISSION_STEP_MS: u64 = 250;
/// A room hears of a section's stock at most this often from one shard.
pub const STOCK_STEP_MS: u64 = 1_000;
/// Ended legs a shard remembers, so that a late `HoldLeg` cannot hold for an order that is over.
pub const ENDED_LEGS_MAX: usize = 200_000;
/// How much longer than its hold an ended leg is remembered: shards' clocks differ a little.
pub const ENDED_LEG_MARGIN_MS: u64 = 60_000;

const _: () = assert!(SEATS_PER_LEG_MAX <= u8::MAX as usize);
const _: () = assert!(LEGS_PER_ORDER_MAX <= u8::MAX as usize);
const _: () = assert!(CLOCK_BEAT_MS < OUTAGE_MS);
const _: () = assert!(SEATS_PER_SECTION_MAX <= u16::MAX as u32);
