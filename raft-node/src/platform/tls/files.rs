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

use super::x509;

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

/// How calls are answered and made, with one choice of protocols inside.
#[derive(Clone)]
struct Face {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// What connections are made with now.
struct Current {
    /// One for each choice of protocols.
    faces: Vec<Face>,
    chain: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    /// What the three files held.
    bytes: [Vec<u8>; 3],
    expiry: Vec<Expiry>,
}

/// When a file is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The file.
    pub path: PathBuf,
    /// In seconds since the epoch.
    pub at_s: u64,
}

/// Files that were read once, for all who use them.
struct Shared {
    files: TlsFiles,
    /// Whose certificate it has to be, where that is known.
    name: Option<String>,
    /// What is spoken inside (ALPN), a choice a face.
    protocols: Vec<Vec<Vec<u8>>>,
    current: RwLock<Current>,
}

/// One's own certificate and the authorities one trusts.
pub struct Tls {
    shared: Arc<Shared>,
    face: usize,
}

const POISONED: &str = "nobody panics holding it";

impl Tls {
    /// Reads and checks the files: `name` must be in the certificate, an authority must vouch for
    /// it, and it must be valid today. `protocols` is what is spoken inside (ALPN): `h2`,
    /// `http/1.1`.
    pub fn load(files: TlsFiles, name: &str, protocols: &[&str]) -> Result<Self, TlsError> {
        let shared = Shared::read(files, Some(name), &[protocols])?;
        Ok(Self { shared, face: 0 })
    }

    /// The same for two listeners that speak different things: the files are read once for both, and
    /// reloaded for both through either.
    pub fn load_both(
        files: TlsFiles,
        name: &str,
        protocols: [&[&str]; 2],
    ) -> Result<[Self; 2], TlsError> {
        let shared = Shared::read(files, Some(name), &protocols)?;
        Ok([0, 1].map(|face| Self {
            shared: shared.clone(),
            face,
        }))
    }

    /// The same for somebody who only calls: what the certificate names is for those who are
    /// called to judge.
    pub fn load_caller(files: TlsFiles, protocols: &[&str]) -> Result<Self, TlsError> {
        let shared = Shared::read(files, None, &[protocols])?;
        Ok(Self { shared, face: 0 })
    }

    /// Looks at the files again; whether they had changed. What is wrong with them is told, and
    /// what was in use stays in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let shared = &*self.shared;
        let fresh = read(&shared.files, shared.name.as_deref(), &shared.protocols)?;
        let mut current = shared.current.write().expect(POISONED);
        if fresh.bytes == current.bytes {
            return Ok(false);
        }
        *current = fresh;
        Ok(true)
    }

    /// Whether others would still accept the certificate that is in use: they end.
    pub fn valid_now(&self) -> Result<(), TlsError> {
        let Some(name) = &self.shared.name else {
            return Ok(());
        };
        let (chain, roots) = {
            let current = self.shared.current.read().expect(POISONED);
            (current.chain.clone(), current.roots.clone())
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        vouched_for(&self.shared.files, name, &chain, &roots, &provider)
    }

    /// When the certificates that are in use end: one's own, and the authority that ends first.
    #[must_use]
    pub fn expiry(&self) -> Vec<Expiry> {
        self.shared.current.read().expect(POISONED).expiry.clone()
    }

    /// How callers are answered.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        self.face().server
    }

    /// How others are called.
    #[must_use]
    pub fn client(&self) -> Arc<ClientConfig> {
        self.face().client
    }

    fn face(&self) -> Face {
        self.shared.current.read().expect(POISONED).faces[self.face].clone()
    }
}

impl Shared {
    fn read(
        files: TlsFiles,
        name: Option<&str>,
        protocols: &[&[&str]],
    ) -> Result<Arc<Self>, TlsError> {
        let bytes = |choice: &&[&str]| choice.iter().map(|p| p.as_bytes().to_vec()).collect();
        let protocols: Vec<Vec<Vec<u8>>> = protocols.iter().map(bytes).collect();
        let current = read(&files, name, &protocols)?;
        Ok(Arc::new(Self {
            files,
            name: name.map(str::to_owned),
            protocols,
            current: RwLock::new(current),
        }))
    }
}

fn read(
    files: &TlsFiles,
    name: Option<&str>,
    protocols: &[Vec<Vec<u8>>],
) -> Result<Current, TlsError> {
    let ca = contents(&files.ca)?;
    let cert = contents(&files.cert)?;
    let key = contents(&files.key)?;

    let authorities = certificates(&files.ca, &ca)?;
    let ends = |of: &CertificateDer<'_>| x509::not_after(of);
    let authorities_end = authorities.iter().filter_map(ends).min();
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let added = roots.add(authority);
        added.map_err(|error| wrong(&files.ca, error))?;
    }
    let roots = Arc::new(roots);
    let chain = certificates(&files.cert, &cert)?;
    let own_ends = chain.first().and_then(ends);
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
    // A ticket would outlive the certificate it was given for.
    server.send_tls13_tickets = 0;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| wrong(&files.cert, error))?
        .with_root_certificates(roots.clone())
        .with_client_auth_cert(chain.clone(), private)
        .map_err(|error| wrong(&files.key, error))?;
    client.resumption = rustls::client::Resumption::disabled();
    let faces = protocols.iter().map(|alpn| {
        let (mut server, mut client) = (server.clone(), client.clone());
        server.alpn_protocols.clone_from(alpn);
        client.alpn_protocols.clone_from(alpn);
        Face {
            server: Arc::new(server),
            client: Arc::new(client),
        }
    });
    let expiry = [(&files.ca, authorities_end), (&files.cert, own_ends)];
    let expiry = expiry.into_iter().filter_map(|(path, at_s)| {
        let (path, at_s) = (path.clone(), at_s?);
        Some(Expiry { path, at_s })
    });
    Ok(Current {
        faces: faces.collect(),
        chain,
        roots,
        bytes: [ca, cert, key],
        expiry: expiry.collect(),
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
