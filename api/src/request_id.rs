//! A name for every request, in its problem, its log line and its answer's header.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;

use crate::backend::Backend;

/// The header, in and out.
pub const HEADER: &str = "x-request-id";

/// Makes names: a random start, then counting.
pub struct RequestIds {
    next: AtomicU64,
}

impl RequestIds {
    /// Starts somewhere unpredictable, so that two nodes do not collide in one log.
    pub fn new(backend: &dyn Backend) -> Self {
        let mut bytes = [0; 8];
        backend.entropy(&mut bytes);
        Self {
            next: AtomicU64::new(u64::from_be_bytes(bytes)),
        }
    }

    /// A number that no other request of this node has.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The caller's own name for the request when it has a sane shape, else a new one.
    pub fn of(&self, headers: &HeaderMap) -> String {
        let told = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let sane = |text: &&str| {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match told.filter(sane) {
            Some(text) => text.to_owned(),
            None => format!("{:016x}", self.number()),
        }
    }
}
