//! A place to lose, repeat and delay messages, for tests and the simulator. The network under us
//! keeps order and loses nothing while a connection lasts; consensus must not depend on that.

use std::time::Duration;

/// What a frame is about, as a fault injector sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameInfo {
    /// The sending node.
    pub from: u64,
    /// The receiving node.
    pub to: u64,
    /// The group.
    pub group: u32,
    /// The number of its kind; answers have the high bit set.
    pub kind: u32,
    /// Bytes of its payload.
    pub bytes: usize,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on its way.
    Deliver,
    /// It is lost.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It arrives later, perhaps behind younger ones.
    Delay(Duration),
    /// It arrives now, and once more so much later.
    Repeat(Duration),
}

/// Asked about every frame a node sends.
pub trait LinkFaults: Send + Sync {
    /// Decides what becomes of a frame.
    fn judge(&self, frame: FrameInfo) -> Verdict;
}
