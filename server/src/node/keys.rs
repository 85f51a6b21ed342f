//! The cluster's root secret. The door derives every signing key from it.

use sha2::{Digest, Sha256};

/// The root of a development cluster: anybody who knows its id knows it.
pub fn dev_secret(cluster_id: u128) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"usher development secret");
    hash.update(cluster_id.to_be_bytes());
    hash.finalize().into()
}

/// 32 bytes from 64 hex digits.
pub fn parse_hex(hex: &str) -> Option<[u8; 32]> {
    api::text::parse_hex(hex)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_have_different_secrets() {
        assert_ne!(dev_secret(7), dev_secret(8));
    }

    #[test]
    fn hex_has_exactly_one_reading() {
        assert_eq!(parse_hex(&"0f".repeat(32)), Some([15; 32]));
        for bad in [
            "",
            "0f",
            &"+f".repeat(32),
            &"0g".repeat(32),
            &"0f".repeat(33),
        ] {
            assert_eq!(parse_hex(bad), None, "{bad}");
        }
    }
}
