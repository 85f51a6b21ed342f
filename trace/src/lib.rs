//! Which request a piece of work belongs to, on whatever node it is done: W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>), for requests whose caller asked to be followed.
//!
//! ```text
//!  caller ── traceparent ──► door: span ──┬─ here:     proposer: span, from the queue to the outcome
//!                              task-local └─ forwarded: Frame.trace ──► the leader's proposer: span
//! ```
//! A span that ends is a log event of target [`SPANS`]; whoever subscribes to it writes it down or sends
//! it on. A request that nobody asked to follow costs nothing but a look at a task-local.

use std::time::Duration;

/// Target of the events that are spans.
pub const SPANS: &str = "usher::span";
/// A trace in a frame: its id, the span that caused it.
pub const ENCODED_BYTES: usize = 24;

tokio::task_local! {
    static CURRENT: Trace;
}

/// A trace, and the span in it that causes what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
}

impl Trace {
    /// Reads a `traceparent` header. `None` when it makes no sense, which is no reason to refuse a
    /// request (section 3.2.2), or when its caller does not want it recorded.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, id, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower = |text: &str, count| {
            let digits = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            text.len() == count && text.bytes().all(digits)
        };
        let whole = lower(version, 2) && lower(id, 32) && lower(span, 16) && lower(flags, 2);
        // Later versions may append fields; the first may not.
        let known = version != "ff" && (version != "00" || parts.next().is_none());
        if !whole || !known {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        let trace = Self {
            id: u128::from_str_radix(id, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
        };
        (sampled && trace.id != 0 && trace.span != 0).then_some(trace)
    }

    /// Its id, for log lines.
    pub fn id(&self) -> String {
        format!("{:032x}", self.id)
    }

    /// For another node.
    pub fn encode(self) -> [u8; ENCODED_BYTES] {
        let mut bytes = [0; ENCODED_BYTES];
        bytes[..16].copy_from_slice(&self.id.to_be_bytes());
        bytes[16..].copy_from_slice(&self.span.to_be_bytes());
        bytes
    }

    /// What another node said; `None` if it said nothing, or nothing of this kind.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, span) = bytes.split_at_checked(16)?;
        Some(Self {
            id: u128::from_be_bytes(id.try_into().ok()?),
            span: u64::from_be_bytes(span.try_into().ok()?),
        })
    }
}

/// The trace that this task works for.
pub fn current() -> Option<Trace> {
    CURRENT.try_with(|trace| *trace).ok()
}

/// Work done for a trace, or for none.
pub async fn within<T>(trace: Option<Trace>, work: impl Future<Output = T>) -> T {
    match trace {
        Some(trace) => CURRENT.scope(trace, work).await,
        None => work.await,
    }
}

/// Work that is being done.
pub struct Span {
    /// What it causes belongs to this.
    trace: Trace,
    parent: u64,
    name: &'static str,
    begun_ms: u64,
}

/// What was done in the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// HTTP status; 0 where there is none.
    pub status: u16,
    /// The group, if a command went into its log.
    pub group: Option<u32>,
    /// Term of its entry.
    pub term: u64,
    /// Index of its entry.
    pub index: u64,
    /// Whether it failed.
    pub failed: bool,
}

impl Span {
    /// Begins at this wall-clock time. `salt` tells spans of the same cause apart.
    pub fn begin(cause: Trace, name: &'static str, salt: u64, begun_ms: u64) -> Self {
        let span = mixed(cause.span ^ mixed(salt)).max(1);
        let trace = Trace { span, ..cause };
        Self {
            trace,
            parent: cause.span,
            name,
            begun_ms,
        }
    }

    /// For what it causes.
    pub fn trace(&self) -> Trace {
        self.trace
    }

    /// Says what was done, and how long it took.
    pub fn end(self, took: Duration, done: Done) {
        tracing::debug!(
            target: SPANS,
            trace_id = self.trace.id(),
            span_id = format!("{:016x}", self.trace.span),
            parent_id = format!("{:016x}", self.parent),
            name = self.name,
            begun_ms = self.begun_ms,
            took_us = took.as_micros() as u64,
            status = done.status,
            group = done.group,
            term = done.term,
            index = done.index,
            failed = done.failed,
            "span"
        );
    }
}

/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014), the mixing of
/// SplitMix64: ids of spans need no chance of their own, and the simulator has none to give away.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn headers_are_read_as_the_recommendation_has_them_and_others_are_passed_over() {
        let trace = Trace::parse(GOOD).expect("its own example");
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.span, 0x00f0_67aa_0ba9_02b7);
        assert_eq!(Trace::parse(&GOOD.replacen("00-", "cc-", 1)), Some(trace));
        let later = format!("{}-more", GOOD.replacen("00-", "cc-", 1));
        assert_eq!(Trace::parse(&later), Some(trace), "a later version");
        for wrong in [
            "",
            "00",
            &GOOD[1..],
            &GOOD.to_uppercase(),
            &GOOD.replacen("00-", "ff-", 1),
            &format!("{GOOD}-more"),
            &GOOD.replace("-01", "-00"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("4bf9", "+bf9"),
        ] {
            assert_eq!(Trace::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_trace_survives_a_frame_and_nothing_else_is_one() {
        let trace = Trace::parse(GOOD).expect("a trace");
        let bytes = trace.encode();
        assert_eq!(Trace::decode(&bytes), Some(trace));
        for length in 0..ENCODED_BYTES {
            assert_eq!(Trace::decode(&bytes[..length]), None);
        }
        assert_eq!(Trace::decode(&[1; 25]), None);
    }

    #[test]
    fn spans_of_one_cause_differ_and_belong_to_its_trace() {
        let cause = Trace::parse(GOOD).expect("a trace");
        let spans = (0..100).map(|salt| Span::begin(cause, "commit", salt, 0));
        let ids: std::collections::BTreeSet<u64> = spans.map(|span| span.trace().span).collect();
        assert_eq!(ids.len(), 100);
        let inner = Span::begin(cause, "door", 7, 0).trace();
        assert_eq!(inner.id, cause.id);
    }

    #[tokio::test]
    async fn a_task_knows_what_it_works_for_and_only_while_it_does() {
        let trace = Trace::parse(GOOD);
        assert_eq!(within(trace, async { current() }).await, trace);
        assert_eq!(within(None, async { current() }).await, None);
        assert_eq!(current(), None);
    }
}
