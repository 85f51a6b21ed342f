//! What a node has sent to its peers: counted where frames become messages.

use std::sync::atomic::{AtomicU64, Ordering};

use super::peer::Frame;

/// Counted since the node was started, over all links, asking and answering.
#[derive(Debug, Default)]
pub struct Traffic {
    messages: AtomicU64,
    frames: AtomicU64,
    payload_bytes: AtomicU64,
}

impl Traffic {
    /// Messages: a stream's units, each of whatever had queued.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Frames: requests and answers.
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Bytes that frames carried, without what frames, gRPC, TLS and TCP put around them. Snapshots
    /// go on streams of their own and are not among them.
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, message: &[Frame]) {
        let bytes: usize = message.iter().map(|frame| frame.payload.len()).sum();
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.frames
            .fetch_add(message.len() as u64, Ordering::Relaxed);
        self.payload_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
