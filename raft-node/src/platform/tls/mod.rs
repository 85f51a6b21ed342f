//! Who is at the other end: mutual TLS 1.3 between nodes, and for operators.
//!
//! A cluster has a certificate authority of its own (or two, while it is changed). Everybody shows
//! a certificate that it signed, and what the certificate *names* is what its holder may be: a node
//! is `node-<id>.<cluster>.usher`, so the certificate of one node cannot speak for another, and
//! that of another cluster's node for nobody here.
//!
//! Files are looked at again while the process runs ([`Tls::reload`]): connections that are up stay
//! up, new ones show the new certificate.

mod files;
mod handshake;
mod names;
mod x509;

pub use files::{Expiry, Tls, TlsError, TlsFiles};
pub use handshake::{Caller, Secured, accept};
pub use names::{node_name, role_name};
