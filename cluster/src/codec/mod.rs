//! The catalogue's bytes: total conversions between its types and `proto`'s. Numbers are in the log and
//! in snapshots: they are never used again for something else.

mod events;
mod keys;
mod nodes;
mod snapshot;
mod trail;
mod words;

pub use snapshot::{restore, save};
pub use words::{
    decode_command, decode_for, decode_outcome, encode_command, encode_for, encode_outcome,
};
