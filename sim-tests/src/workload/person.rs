//! People and what they come for, as data: all that a plan says of them. Editable.

use serde::{Deserialize, Serialize};

/// Somebody who comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// What they are.
    #[serde(default)]
    pub role: Role,
    /// When they come to the door, in ms after the event was created.
    pub comes_ms: u64,
    /// What they try, in order.
    pub errands: Vec<Errand>,
}

/// What somebody is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys.
    #[default]
    Buyer,
    /// Runs the sale.
    Organizer,
}

/// One order, or the try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// How long they wait before.
    pub pause_ms: u64,
    /// What they do before they reserve.
    #[serde(default)]
    pub asides: Vec<Aside>,
    /// What they want.
    pub wish: Wish,
    /// What they do with what they get.
    pub then: Then,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Nothing; they came for the asides.
    Nothing,
    /// So many of the best seats that are left.
    Best(u64),
    /// So many of the best seats of this section.
    BestIn(String, u64),
    /// So many places on the floor.
    Standing(u64),
    /// These seats: one section, or two, and so perhaps two shards.
    Seats(Vec<String>),
    /// These seats, and so many places on the floor.
    Mixed(Vec<String>, u64),
}

/// What somebody does with a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Leaves; the hold has to end by itself.
    Leave,
    /// Gives it back.
    GiveBack,
    /// Gives it back through a node that does not reach the others, if there is one in time.
    GiveBackInVain,
    /// Asks to pay in the last moment, when its home is so busy that time may run out first.
    PayAtTheEnd {
        /// How long before.
        early_ms: u64,
    },
    /// Pays so much later; perhaps about when the hold ends.
    Pay {
        /// How much.
        after_ms: u64,
    },
    /// Pays with a card of this kind: `pm_declined`, `pm_silent`.
    PayWith {
        /// The card.
        method: String,
        /// Whether a good card follows when it is declined.
        and_again: bool,
    },
    /// Pays through two doors at once.
    PayTwice,
    /// Pays and gives back at once, through two doors.
    PayAndGiveBack,
    /// Gives back what they hold, and asks through several doors at the same moment, under one
    /// key, for those seats and these.
    GiveBackAndTug {
        /// The others; elsewhere, so that the order crosses shards.
        others: Vec<String>,
    },
    /// Gives back what is paid.
    GiveBackPaid,
    /// Asks to pay and is never seen again.
    PayAndVanish,
    /// Repeats the reservation so much later, whatever became of it.
    RepeatLater {
        /// How much.
        after_ms: u64,
    },
    /// Pays, and the organizer gives the money back so much later.
    PayAndRefund {
        /// How much.
        after_ms: u64,
    },
}

/// What somebody does besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aside {
    /// Looks at the seats of a section, or of all; twice, the second time with the ETag.
    LookAtSeats {
        /// Which.
        section: Option<String>,
        /// Whether the answer must be fresh.
        fresh: bool,
    },
    /// Looks at the event.
    LookAtEvent,
    /// Lists all events.
    ListEvents,
    /// Looks at the waiting room's public state.
    LookAtQueue,
    /// Asks for the proof of their place.
    Proof,
    /// Joins again and has to hear of the same place.
    JoinAgain,
    /// Lists their orders.
    MyOrders,
    /// Lists their tickets.
    MyTickets,
    /// Reads the event's feed, as the organizer.
    Feed,
    /// Reads the keys of tickets.
    TicketKeys,
    /// Asks a node how it is.
    Probes,
    /// Stops the sale for so long.
    PauseFor {
        /// How long, in ms.
        ms: u64,
    },
    /// Changes how many people are admitted a minute.
    Rate {
        /// To so many.
        per_minute: u64,
    },
    /// Creates the event again, with the same key.
    CreateAgain,
    /// Creates another event with the same key.
    CreateOther,
    /// Sends a reservation and does not wait for the answer.
    Vanish,
    /// Reserves before their turn.
    Impatient,
    /// Reserves without a queue token.
    NoPass,
    /// Reserves with somebody else's queue token.
    ForeignPass,
    /// Reserves with a queue token in which a character was changed.
    ForgedPass,
    /// Reserves with the token of another event.
    PassOfOtherEvent,
    /// Shows a bearer token that nobody signed.
    ForgedToken,
    /// Shows a bearer token whose signature is cut off.
    CutToken,
    /// Reads, pays and gives back somebody else's order.
    ForeignOrder,
    /// Reserves something else with a key that was used.
    KeyReused,
    /// Repeats a reservation at once, through another door.
    Repeat,
    /// Reserves more than one order may have.
    TooMany,
    /// Reserves more than one person may have, at once, through all doors.
    Greedy,
    /// Does what only an organizer may.
    OrganizersOnly,
    /// Sends a webhook that no provider signed.
    ForgedWebhook,
    /// Asks for what does not exist.
    Nonsense,
}
