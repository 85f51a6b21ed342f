//! The bytes: wire and disk formats, and total conversions to and from the ledger's types.
