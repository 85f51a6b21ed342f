//! Certificates as files, checked before they are used and looked at again while they are.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Where the files are, all of them PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities whose certificates are accepted: one, or both while one replaces the other.
    pub ca: PathBuf,
    /// One's own certificate, followed by those between it and the authority, if there are any.
    pub cert: PathBuf,
    /// Its key (PKCS #8).
    pub key: PathBuf,
}

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The certificate is not one that others would accept.
    #[error("{}: not a certificate of `{name}` that {} vouches for: {reason}", cert.display(), ca.display())]
    Unusable {
        /// The certificate's file.
        cert: PathBuf,
        /// The authorities' file.
        ca: PathBuf,
        /// Whose certificate it has to be.
        name: String,
        /// Why it is not.
        reason: String,
    },
}

/// What connections are made with now.
#[derive(Clone)]
struct Current {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    chain: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    /// What the three files held.
    bytes: [Vec<u8>; 3],
}

/// One's own certificate and the authorities one trusts.
pub struct Tls {
    files: TlsFiles,
    /// Whose certificate it has to be, where that is known.
    name: Option<String>,
    alpn: Vec<Vec<u8>>,
    current: RwLock<Current>,
}

const POISONED: &str = "nobody panics holding it";

impl Tls {
    /// Reads and checks the files: `name` must be in the certificate, an authority must vouch for
    /// it, and it must be valid today. `protocols` is what is spoken inside (ALPN): `h2`,
    /// `http/1.1`.
    pub fn load(files: TlsFiles, name: &str, protocols: &[&str]) -> Result<Self, TlsError> {
        Self::checked(files, Some(name), protocols)
    }

    /// The same for somebody who only calls: what the certificate names is for those who are
    /// called to judge.
    pub fn load_caller(files: TlsFiles, protocols: &[&str]) -> Result<Self, TlsError> {
        Self::checked(files, None, protocols)
    }

    fn checked(files: TlsFiles, name: Option<&str>, protocols: &[&str]) -> Result<Self, TlsError> {
        let alpn: Vec<Vec<u8>> = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        let current = read(&files, name, &alpn)?;
        Ok(Self {
            files,
            name: name.map(str::to_owned),
            alpn,
            current: RwLock::new(current),
        })
    }

    /// Looks at the files again; whether they had changed. What is wrong with them is told, and
    /// what was in use stays in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let fresh = read(&self.files, self.name.as_deref(), &self.alpn)?;
        let mut current = self.current.write().expect(POISONED);
        if fresh.bytes == current.bytes {
            return Ok(false);
        }
        *current = fresh;
        Ok(true)
    }

    /// Whether others would still accept the certificate that is in use: they end.
    pub fn valid_now(&self) -> Result<(), TlsError> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        let (chain, roots) = {
            let current = self.current.read().expect(POISONED);
            (current.chain.clone(), current.roots.clone())
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        vouched_for(&self.files, name, &chain, &roots, &provider)
    }

    /// How callers are answered.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        self.current.read().expect(POISONED).server.clone()
    }

    /// How others are called.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        self.current.read().expect(POISONED).client.clone()
    }
}

fn read(files: &TlsFiles, name: Option<&str>, alpn: &[Vec<u8>]) -> Result<Current, TlsError> {
    let ca = contents(&files.ca)?;
    let cert = contents(&files.cert)?;
    let key = contents(&files.key)?;

    let authorities = certificates(&files.ca, &ca)?;
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let added = roots.add(authority);
        added.map_err(|error| wrong(&files.ca, error))?;
    }
    let roots = Arc::new(roots);
    let chain = certificates(&files.cert, &cert)?;
    let private = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&files.key, error))?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    if let Some(name) = name {
        vouched_for(files, name, &chain, &roots, &provider)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| wrong(&files.ca, error))?;
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(&files.cert, error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), private.clone_key())
        .map_err(|error| wrong(&files.key, error))?;
    server.alpn_protocols = alpn.to_vec();
    // A ticket would outlive the certificate it was given for.
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(&files.cert, error))?
        .with_root_certificates(roots.clone())
        .with_client_auth_cert(chain.clone(), private)
        .map_err(|error| wrong(&files.key, error))?;
    client.alpn_protocols = alpn.to_vec();
    client.resumption = rustls::client::Resumption::disabled();
    Ok(Current {
        server: Arc::new(server),
        client: Arc::new(client),
        chain,
        roots,
        bytes: [ca, cert, key],
    })
}

/// Would those who are called accept it? Better to know before anybody is.
fn vouched_for(
    files: &TlsFiles,
    name: &str,
    chain: &[CertificateDer<'static>],
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<(), TlsError> {
    let unusable = |reason: String| TlsError::Unusable {
        cert: files.cert.clone(),
        ca: files.ca.clone(),
        name: name.to_owned(),
        reason,
    };
    let server_name = ServerName::try_from(name.to_owned());
    let server_name = server_name.map_err(|error| unusable(error.to_string()))?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let (own, between) = chain.split_first().expect("a file without one was refused");
    let checked = verifier.verify_server_cert(own, between, &server_name, &[], UnixTime::now());
    checked
        .map(|_| ())
        .map_err(|error| unusable(error.to_string()))
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| wrong(path, error))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(wrong(path, "holds no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(path, error)),
    }
}

fn wrong(path: &Path, reason: impl ToString) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
