//! Who the operator is to the nodes that are asked: a certificate, where nodes ask for one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use api::auth::key::ApiKey;
use raft_node::platform::tls::{Tls, TlsFiles};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::CliError;
use crate::http_client::{Target, bearer};

/// What is shown to nodes whose `[tls]` is set; all three or none.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Towards nodes with certificates")]
pub struct Args {
    /// The cluster's authority: whom to believe (PEM).
    #[arg(long, global = true, value_name = "FILE", env = "USHER_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// Your certificate, from `usher cert create-client` (PEM).
    #[arg(long, global = true, value_name = "FILE", env = "USHER_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, global = true, value_name = "FILE", env = "USHER_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// A file with a key of the API (`usher key create`): the trail names it, and its role binds you
    /// also where nodes ask for no certificates.
    #[arg(long, global = true, value_name = "FILE", env = "USHER_API_KEY_FILE")]
    api_key_file: Option<PathBuf>,
}

/// One program, one operator: set once, before any node is called.
static IDENTITY: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// The header line that shows the key of the API, if there is one.
static API_KEY: OnceLock<String> = OnceLock::new();

/// The header line that shows the key of the API; empty without one.
pub fn api_key() -> &'static str {
    API_KEY.get().map_or("", String::as_str)
}

fn use_api_key(path: &Path) -> Result<(), CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::File {
        path: path.into(),
        source,
    })?;
    let key = text.lines().next().unwrap_or_default().trim();
    if ApiKey::parse(key).is_none() {
        let shown = path.display();
        return Err(CliError::Invalid(format!(
            "{shown}: no key in its first line"
        )));
    }
    API_KEY.get_or_init(|| bearer(key));
    Ok(())
}

/// Reads and checks the certificate; without one nodes are called in plain HTTP.
pub fn use_these(args: &Args) -> Result<(), CliError> {
    if let Some(path) = &args.api_key_file {
        use_api_key(path)?;
    }
    let files = match (&args.tls_ca, &args.tls_cert, &args.tls_key) {
        (None, None, None) => return Ok(()),
        (Some(ca), Some(cert), Some(key)) => TlsFiles {
            ca: ca.clone(),
            cert: cert.clone(),
            key: key.clone(),
        },
        _ => {
            return Err(CliError::Invalid(
                "--tls-ca, --tls-cert and --tls-key belong together".to_owned(),
            ));
        }
    };
    let tls = Tls::load_caller(files, &["http/1.1"]);
    let tls = tls.map_err(|error| CliError::Invalid(error.to_string()))?;
    IDENTITY.get_or_init(|| tls.client());
    Ok(())
}

/// A node's admin listener. Its certificate has to name `host`, as the operator typed it.
pub fn target(address: SocketAddr, host: &str) -> Target {
    let name = ServerName::try_from(host.to_owned());
    match (IDENTITY.get(), name) {
        (Some(config), Ok(name)) => Target::secured(address, name, config.clone()),
        // What is no host name was resolved by the system all the same; the address is one.
        (Some(config), Err(_)) => {
            Target::secured(address, ServerName::from(address.ip()), config.clone())
        }
        (None, _) => address.into(),
    }
}
