//! Bytes that mean nothing to this release.

/// Why bytes could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are no protobuf message.
    #[error("not a protobuf message: {0}")]
    Wire(String),
    /// A field that must be there is not, or an unknown variant stands in its place.
    #[error("{0}: missing or unknown")]
    Missing(&'static str),
    /// A number is outside its range.
    #[error("{0}: out of range")]
    Range(&'static str),
}

impl From<prost::DecodeError> for DecodeError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Wire(error.to_string())
    }
}

/// A field that must be present.
pub fn required<T>(value: Option<T>, field: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing(field))
}

/// A number that must fit its type.
pub fn narrow<T, N: TryFrom<T>>(value: T, field: &'static str) -> Result<N, DecodeError> {
    N::try_from(value).map_err(|_| DecodeError::Range(field))
}
