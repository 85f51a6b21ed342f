//! Numbers of `costs.toml` with their unit and their range, which are checked when they are read.

use serde::Deserialize;

use super::calendar::{MICROSECOND, MILLISECOND, Nanos};

/// A span in microseconds, from 0 to a minute.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Us(f64);

impl TryFrom<f64> for Us {
    type Error = String;

    fn try_from(us: f64) -> Result<Self, String> {
        match (0.0..=60_000_000.0).contains(&us) {
            true => Ok(Self(us)),
            false => Err(format!("{us} is not between 0 and 60,000,000 microseconds")),
        }
    }
}

impl Us {
    /// The same in nanoseconds.
    #[must_use]
    pub fn ns(self) -> Nanos {
        self.times(1)
    }

    /// So many times it, in nanoseconds; rounded once, so that small costs of many do not vanish.
    #[must_use]
    pub fn times(self, count: u64) -> Nanos {
        (self.0 * MICROSECOND as f64 * count as f64 + 0.5) as Nanos
    }
}

/// A span in milliseconds, from 0 to ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Ms(f64);

impl TryFrom<f64> for Ms {
    type Error = String;

    fn try_from(ms: f64) -> Result<Self, String> {
        match (0.0..=600_000.0).contains(&ms) {
            true => Ok(Self(ms)),
            false => Err(format!("{ms} is not between 0 and 600,000 milliseconds")),
        }
    }
}

impl Ms {
    /// The same in nanoseconds.
    #[must_use]
    pub fn ns(self) -> Nanos {
        (self.0 * MILLISECOND as f64 + 0.5) as Nanos
    }
}

/// A size in bytes, up to 1 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "u64")]
pub struct Bytes(pub u64);

impl TryFrom<u64> for Bytes {
    type Error = String;

    fn try_from(bytes: u64) -> Result<Self, String> {
        match bytes <= 1 << 20 {
            true => Ok(Self(bytes)),
            false => Err(format!("{bytes} bytes are more than 1 MiB")),
        }
    }
}
