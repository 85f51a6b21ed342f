//! An authority for tests, and what it signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use raft_node::platform::tls::{Tls, TlsError, TlsFiles, node_name};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

/// The cluster of `toy`.
pub const CLUSTER: u128 = 77;

/// Signs.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// A certificate of this name and its key; one that ended long ago when it is `stale`.
    pub fn sign(&self, name: &str, stale: bool) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        params.not_before = date_time_ymd(2020, 1, 1);
        if stale {
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }
}

/// The three files of one node.
pub struct Desk {
    directory: PathBuf,
}

impl Desk {
    pub fn new(root: &Path, name: &str) -> Self {
        let directory = root.join(name);
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    pub fn files(&self) -> TlsFiles {
        TlsFiles {
            ca: self.directory.join("ca.pem"),
            cert: self.directory.join("cert.pem"),
            key: self.directory.join("key.pem"),
        }
    }

    pub fn trusts(&self, authorities: &[&Authority]) -> &Self {
        let pem: String = authorities.iter().map(|a| a.pem.as_str()).collect();
        std::fs::write(self.files().ca, pem).unwrap();
        self
    }

    pub fn has(&self, (cert, key): (String, String)) -> &Self {
        std::fs::write(self.files().cert, cert).unwrap();
        std::fs::write(self.files().key, key).unwrap();
        self
    }

    pub fn load_as(&self, node: u64) -> Result<Tls, TlsError> {
        Tls::load(self.files(), &node_name(CLUSTER, node), &["h2"])
    }

    /// What is on the desk, used as the certificate of the node that it names.
    pub fn load(&self, node: u64) -> Arc<Tls> {
        Arc::new(self.load_as(node).unwrap())
    }
}
