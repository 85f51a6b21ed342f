//! The bytes: how commands, outcomes, messages and snapshots look in logs, snapshots and on the
//! wire. This crate owns every persistent number.
//!
//! Compatibility: a tag is never reused, a number never changes its meaning, and what a release
//! does not understand is refused with its path rather than guessed at. Encoding is total;
//! decoding says which field is wrong.

pub mod convert;
pub mod error;
pub mod snapshot;

pub use convert::{
    close_reason, close_reason_number, decode_command, decode_outcome, encode_command,
    encode_outcome,
};
pub use error::DecodeError;

/// Generated from `proto/usher/v1/*.proto`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/usher.v1.rs"));
}
