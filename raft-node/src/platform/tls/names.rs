//! What a certificate says of its holder, as DNS names of its subject (RFC 6125, section 6.4):
//! names that no public authority would sign, and that every TLS library checks.

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

/// The name of a node, unlike that of any other in any cluster.
#[must_use]
pub fn node_name(cluster: u128, node: u64) -> String {
    format!("node-{node}.{cluster:032x}.usher")
}

/// The name of everybody who may do what a role may: `operator`, `reader`.
#[must_use]
pub fn role_name(cluster: u128, role: &str) -> String {
    format!("{role}.role.{cluster:032x}.usher")
}

pub(super) fn is_named(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else {
        return false;
    };
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_names_of_one_node_in_one_cluster() {
        let name = node_name(0xab, 7);
        assert_eq!(name, "node-7.000000000000000000000000000000ab.usher");
        assert!(ServerName::try_from(name).is_ok());
        assert!(ServerName::try_from(role_name(u128::MAX, "operator")).is_ok());
        assert_ne!(node_name(1, 7), node_name(2, 7));
        assert_ne!(node_name(1, 7), node_name(1, 71));
    }
}
