//! A command that somebody follows, from its arrival in the leader's queue to its outcome.

use std::sync::Arc;
use std::time::Duration;

use trace::{Done, Span, Trace};

use crate::platform::Clock;

/// See the module.
pub(crate) struct Followed {
    span: Span,
    clock: Arc<dyn Clock>,
    since: Duration,
}

impl Followed {
    pub(crate) fn begin(
        cause: Option<Trace>,
        node: u64,
        clock: &Arc<dyn Clock>,
    ) -> Option<Box<Self>> {
        let span = Span::begin(cause?, "commit", node, clock.now_ms());
        let since = clock.monotonic();
        let clock = clock.clone();
        Some(Box::new(Self { span, clock, since }))
    }

    pub(crate) fn end(self, done: Done) {
        let took = self.clock.monotonic().saturating_sub(self.since);
        self.span.end(took, done);
    }
}
