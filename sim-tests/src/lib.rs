//! The proof: seeds, faults, histories, verdicts.
