//! Chance, as a port.

/// A source of unpredictable bytes (production) or of seeded ones (simulator).
pub trait Entropy: Send + Sync {
    /// Fills `bytes`. Production aborts the process when the operating system has none to give:
    /// a node that cannot draw must not pretend to.
    fn fill(&self, bytes: &mut [u8]);

    /// A number drawn evenly from all of `u64`.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// 32 bytes, as a stamp carries them.
    fn next_32(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        bytes
    }
}
