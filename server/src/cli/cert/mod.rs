//! `usher cert`: an authority of the cluster's own, and what it signs.

mod make;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use raft_node::platform::Platform;
use raft_node::platform::tls::{node_name, role_name};
use uuid::Uuid;

use super::CliError;
use make::Validity;

/// Makes the certificates of a cluster.
///
/// One authority, one certificate a node, one a person:
///
///   usher cert create-ca
///   usher cert create-node --cluster-id ID --node 1 --host 10.0.0.1 --host n1.example.org
///   usher cert create-client --cluster-id ID --role operator --name anna
///
/// A node's configuration then has `[tls]` with `ca`, `cert` and `key`; operators say
/// --tls-ca, --tls-cert and --tls-key, or USHER_TLS_CA and so on. Keep `ca.key` away from the nodes:
/// whoever has it can be any of them.
#[derive(Debug, clap::Subcommand)]
#[command(verbatim_doc_comment)]
#[expect(clippy::enum_variant_names, reason = "as they are typed")]
pub enum Args {
    /// A new authority: `ca.pem`, which everybody gets, and `ca.key`, which nobody gets.
    CreateCa {
        #[command(flatten)]
        place: Place,
        /// Days it is valid.
        #[arg(long, default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
        days: u32,
    },
    /// A node's certificate: `node-ID.pem` and `node-ID.key`.
    CreateNode {
        #[command(flatten)]
        place: Place,
        /// The cluster, as in the configuration.
        #[arg(long)]
        cluster_id: Uuid,
        /// The node's id.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        node: u64,
        /// Addresses and names under which operators reach it.
        #[arg(long, required = true)]
        host: Vec<String>,
        /// Days it is valid.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
    },
    /// A person's or a program's certificate: `NAME.pem` and `NAME.key`.
    CreateClient {
        #[command(flatten)]
        place: Place,
        /// The cluster, as in the configuration.
        #[arg(long)]
        cluster_id: Uuid,
        /// What it allows: `operator` everything, `reader` to look (Prometheus, for one).
        #[arg(long, value_enum)]
        role: Role,
        /// Whose it is.
        #[arg(long, value_parser = plain_name)]
        name: String,
        /// Days it is valid.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: u32,
    },
}

/// Where certificates are.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Directory of the authority and of what it signs. Files that exist are never replaced.
    #[arg(long, default_value = "certs", value_name = "DIR")]
    dir: PathBuf,
}

/// What a certificate allows at the operators' listener.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Role {
    /// Everything.
    Operator,
    /// To look.
    Reader,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Operator => crate::node::OPERATOR,
            Self::Reader => crate::node::READER,
        }
    }
}

fn plain_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fits = (1..=40).contains(&text.len()) && text.chars().all(plain);
    let taken = text == "ca" || text.starts_with("node-");
    match fits && !taken {
        true => Ok(text.to_owned()),
        false => Err("1 to 40 letters, digits and hyphens; not `ca` or `node-...`".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::CreateCa { place, days } => {
            let made = make::authority(validity(&place.dir, days)?).map_err(unmade)?;
            place.keep("ca", &made)?;
        }
        Args::CreateNode {
            place,
            cluster_id,
            node,
            host,
            days,
        } => {
            for host in &host {
                if host.parse::<IpAddr>().is_err() && host.contains([':', '/', ' ']) {
                    let text =
                        format!("--host {host}: an address or a name, without port or scheme");
                    return Err(CliError::Invalid(text));
                }
            }
            let mut names = vec![node_name(cluster_id.as_u128(), node)];
            names.extend(host);
            let stem = format!("node-{node}");
            place.sign(&stem, names, days, make::Use::Both)?;
        }
        Args::CreateClient {
            place,
            cluster_id,
            role,
            name,
            days,
        } => {
            let names = vec![role_name(cluster_id.as_u128(), role.name())];
            place.sign(&name, names, days, make::Use::Calls)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Place {
    fn sign(
        &self,
        stem: &str,
        names: Vec<String>,
        days: u32,
        what_for: make::Use,
    ) -> Result<(), CliError> {
        let key = self.dir.join("ca.key");
        let pem = std::fs::read_to_string(&key).map_err(|source| CliError::File {
            path: key.clone(),
            source,
        })?;
        let validity = validity(&self.dir, days)?;
        let made = make::signed(&pem, stem, names, validity, what_for).map_err(unmade)?;
        self.keep(stem, &made)
    }

    /// Writes both files, and neither when one exists.
    fn keep(&self, stem: &str, made: &make::Made) -> Result<(), CliError> {
        std::fs::create_dir_all(&self.dir).map_err(|source| CliError::File {
            path: self.dir.clone(),
            source,
        })?;
        let cert = self.dir.join(format!("{stem}.pem"));
        let key = self.dir.join(format!("{stem}.key"));
        for path in [&cert, &key] {
            if path.exists() {
                let text = format!("{} exists; move it away first", path.display());
                return Err(CliError::Invalid(text));
            }
        }
        write(&key, &made.key, 0o600)?;
        write(&cert, &made.cert, 0o644)?;
        super::say(&format!("{} and {}", cert.display(), key.display()));
        Ok(())
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        path: path.to_owned(),
        source,
    };
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

fn validity(dir: &Path, days: u32) -> Result<Validity, CliError> {
    let platform = Platform::os(dir).map_err(|source| CliError::File {
        path: dir.to_owned(),
        source,
    })?;
    Ok(Validity::from_now(platform.clock.now_ms(), days))
}

fn unmade(error: rcgen::Error) -> CliError {
    CliError::Failed(format!("no certificate: {error}"))
}
