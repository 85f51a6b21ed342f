//! `usher backup`: create, verify, show, list, restore.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{CliError, say};
use crate::backup::chain::{Chain, Link};
use crate::backup::create::{self, Created};
use crate::backup::manifest::Manifest;
use crate::backup::{Point, restore};
use crate::node::config::Config;

/// Backs a running cluster up, checks backups, restores them into a new cluster.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Takes a backup of a running cluster. The sale goes on.
    Create {
        /// A new directory.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// `host:port` of admin listeners, separated by commas: as many as it takes to see every
        /// group.
        #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8091")]
        admin: Vec<String>,
        /// Only what came after this backup, which stands in the same directory as the new one. A
        /// full backup is taken, and says so, where the cluster's logs no longer reach back.
        #[arg(long, value_name = "DIR")]
        since: Option<PathBuf>,
    },
    /// Checks a backup, and those it goes on from, as a restore does: every byte, every entry.
    Verify {
        /// The backup.
        dir: PathBuf,
        /// The hash of its manifest, as `create` printed it.
        #[arg(long, value_name = "HASH")]
        sha256: Option<String>,
    },
    /// Says what a backup holds. Checks its files, and does not apply them.
    Show {
        /// The backup.
        dir: PathBuf,
        /// The manifest as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Lists the backups in a directory.
    List {
        /// The directory.
        dir: PathBuf,
    },
    /// Makes the data directories of a new cluster out of a backup. Nodes of any number: give every
    /// node's file, here or on the machine where its directory is to be.
    Restore {
        /// The backup.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Configuration files of the new cluster's nodes.
        #[arg(long, required = true, value_name = "FILE", num_args = 1..)]
        config: Vec<PathBuf>,
        /// Not the backup's end: all groups as of this entry of this group.
        #[arg(long, value_name = "GROUP=INDEX")]
        at: Option<Point>,
    },
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::Create { to, admin, since } => {
            tell(&create::create(&to, &admin, since.as_deref()).await?, &to);
        }
        Args::Verify { dir, sha256 } => verify(&dir, sha256.as_deref())?,
        Args::Show { dir, json } => show(&Link::open(&dir)?, json),
        Args::List { dir } => return list(&dir),
        Args::Restore { from, config, at } => {
            let configs = config.iter().map(|path| Config::load(path));
            let configs: Vec<Config> = configs.collect::<Result<_, _>>()?;
            for done in restore::restore(&from, &configs, at).await? {
                say(&format!(
                    "group {:>4}  at entry {:>10}  state {}",
                    done.group, done.index, done.digest
                ));
            }
            for config in &configs {
                say(&format!(
                    "node {} of cluster {}: {}",
                    config.node_id,
                    config.cluster_id,
                    config.data_dir.display()
                ));
            }
            say("start every node with `usher start`; `usher init` is not needed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(created: &Created, to: &Path) {
    if let Some(why) = &created.full_because {
        say(&format!("a full backup, because {why}"));
    }
    let manifest = &created.manifest;
    say(&format!(
        "{}: {} groups, {} bytes; {} entries past the first answers make the cut consistent",
        to.display(),
        manifest.groups.len(),
        manifest.bytes(),
        created.closed_by
    ));
    say(&format!("manifest sha256 {}", created.hash));
}

fn verify(dir: &Path, sha256: Option<&str>) -> Result<(), CliError> {
    let chain = Chain::open(dir)?;
    let newest = chain.newest();
    if let Some(wanted) = sha256
        && !wanted.eq_ignore_ascii_case(&newest.hash)
    {
        return Err(CliError::Failed(format!(
            "{}: the hash of its manifest is {}, and should be {wanted}",
            dir.display(),
            newest.hash
        )));
    }
    chain.load()?;
    say(&format!(
        "{}: {} groups of cluster {}, in {} backup(s): whole, consistent, and restorable",
        dir.display(),
        newest.manifest.groups.len(),
        newest.manifest.cluster_id,
        chain.links().len()
    ));
    Ok(())
}

fn show(link: &Link, json: bool) {
    let manifest = &link.manifest;
    if json {
        say(&serde_json::to_string(manifest).expect("a manifest is plain data"));
        return;
    }
    say(&line(&link.dir, manifest));
    say(&format!("  cluster  {}", manifest.cluster_id));
    say(&format!("  lineage  {}", manifest.lineage));
    say(&format!("  release  {}", manifest.release));
    say(&format!("  manifest sha256 {}", link.hash));
    if let Some(previous) = &manifest.previous {
        say(&format!("  goes on from {}", previous.name));
    }
    say("  group  log from   up to entry  term       bytes  state");
    for group in &manifest.groups {
        let snapshot = group.snapshot.as_ref().map_or(0, |part| part.bytes);
        say(&format!(
            "  {:>5}  {:>8}  {:>12}  {:>4}  {:>10}  {}",
            group.group,
            group.log_from,
            group.index,
            group.term,
            group.log.bytes + snapshot,
            group.digest
        ));
    }
}

fn line(dir: &Path, manifest: &Manifest) -> String {
    let kind = match manifest.previous {
        Some(_) => "incremental",
        None => "full",
    };
    format!(
        "{}  {}  {kind}  {} groups  {} bytes",
        dir.display(),
        manifest.created_at,
        manifest.groups.len(),
        manifest.bytes()
    )
}

fn list(dir: &Path) -> Result<ExitCode, CliError> {
    let listed = std::fs::read_dir(dir).map_err(|source| CliError::File {
        path: dir.to_owned(),
        source,
    })?;
    let mut dirs: Vec<PathBuf> = listed
        .flatten()
        .map(|found| found.path())
        .filter(|path| path.is_dir())
        .collect();
    dirs.sort();
    let mut all = true;
    for dir in dirs {
        match Manifest::read(&dir) {
            Ok((manifest, _)) => say(&line(&dir, &manifest)),
            Err(error) => {
                all = false;
                say(&format!("{}  not usable: {error}", dir.display()));
            }
        }
    }
    Ok(match all {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
