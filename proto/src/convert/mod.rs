//! Wire types to ledger types and back, one file a family. Matches are exhaustive: a new variant
//! does not compile until it has bytes.

mod command;
pub mod event;
pub mod ids;
mod message;
mod outcome;
pub(crate) mod snapshot;

pub use self::outcome::{close_reason, close_reason_number};
use bytes::Bytes;
use ledger::{Command, Outcome};
use prost::Message as _;

use crate::DecodeError;
use crate::v1;

/// The bytes of a command.
pub fn encode_command(command: &Command) -> Bytes {
    v1::Command::from(command).encode_to_vec().into()
}

/// The command these bytes mean.
pub fn decode_command(bytes: &[u8]) -> Result<Command, DecodeError> {
    v1::Command::decode(bytes)?.try_into()
}

/// The bytes of an outcome.
pub fn encode_outcome(outcome: &Outcome) -> Bytes {
    v1::Outcome::from(outcome).encode_to_vec().into()
}

/// The outcome these bytes mean.
pub fn decode_outcome(bytes: &[u8]) -> Result<Outcome, DecodeError> {
    outcome::outcome(v1::Outcome::decode(bytes)?)
}
