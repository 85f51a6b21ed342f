//! `usher backup`: create, verify, show, list, restore, reconcile.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{CliError, say};
use crate::backup::chain::{Chain, Link};
use crate::backup::create::{self, Created};
use crate::backup::manifest::Manifest;
use crate::backup::place::Place;
use crate::backup::reconcile::{self, Verdict};
use crate::backup::{BackupError, Point, restore};
use crate::node::config::Config;

/// Backs a running cluster up, checks backups, restores them into a new cluster.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Takes a backup of a running cluster. The sale goes on.
    Create {
        /// A new directory, or s3://BUCKET/NAME.
        #[arg(long, value_name = "DIR|URL")]
        to: Place,
        /// `host:port` of admin listeners, separated by commas: as many as it takes to see every
        /// group.
        #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:8091")]
        admin: Vec<String>,
        /// Only what came after this backup, which stands in the same directory as the new one. A
        /// full backup is taken, and says so, where the cluster's logs no longer reach back.
        #[arg(long, value_name = "DIR|URL")]
        since: Option<Place>,
    },
    /// Checks a backup, and those it goes on from, as a restore does: every byte, every entry.
    Verify {
        /// The backup: a directory, or s3://BUCKET/NAME.
        #[arg(value_name = "DIR|URL")]
        from: Place,
        /// The hash of its manifest, as `create` printed it.
        #[arg(long, value_name = "HASH")]
        sha256: Option<String>,
    },
    /// Says what a backup holds. Checks its files, and does not apply them.
    Show {
        /// The backup: a directory, or s3://BUCKET/NAME.
        #[arg(value_name = "DIR|URL")]
        from: Place,
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
        /// The backup: a directory, or s3://BUCKET/NAME.
        #[arg(long, value_name = "DIR|URL")]
        from: Place,
        /// Configuration files of the new cluster's nodes.
        #[arg(long, required = true, value_name = "FILE", num_args = 1..)]
        config: Vec<PathBuf>,
        /// Not the backup's end: all groups as of this entry of this group.
        #[arg(long, value_name = "GROUP=INDEX")]
        at: Option<Point>,
    },
    /// After a restore, before any node is started: finds money that the old cluster reserved or took
    /// after the cut, for orders that the restored state does not count as paid, and gives it back.
    /// Without `--apply` it only says what it would do.
    Reconcile {
        /// Configuration file of a restored node.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Gives the money back.
        #[arg(long)]
        apply: bool,
    },
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::Create { to, admin, since } => {
            tell(&create(&to, &admin, since.as_ref()).await?, &to);
        }
        Args::Verify { from, sha256 } => verify(&from, sha256.as_deref()).await?,
        Args::Show { from, json } => show(&Link::open(&from.bring().await?.dir)?, &from, json),
        Args::List { dir } => return list(&dir),
        Args::Restore { from, config, at } => {
            let configs = config.iter().map(|path| Config::load(path));
            let configs: Vec<Config> = configs.collect::<Result<_, _>>()?;
            let from = from.bring().await?;
            for done in restore::restore(&from.dir, &configs, at).await? {
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
            say(
                "next: `usher backup reconcile`, then start every node; `usher init` is not needed",
            );
        }
        Args::Reconcile { config, apply } => return reconcile(&config, apply).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(
    to: &Place,
    admin: &[String],
    since: Option<&Place>,
) -> Result<Created, BackupError> {
    if let Some(since) = since
        && !to.is_beside(since)
    {
        return Err(BackupError::Invalid(format!(
            "--to {to}: an incremental backup stands beside the one it goes on from, {since}"
        )));
    }
    to.vacant().await?;
    let since = match since {
        Some(since) => Some(since.bring().await?),
        None => None,
    };
    let made = to.stage(since.as_ref())?;
    let since = since.as_ref().map(|since| since.dir.as_path());
    let created = create::create(&made.dir, admin, since).await?;
    to.send(&made.dir).await?;
    Ok(created)
}

fn tell(created: &Created, to: &Place) {
    if let Some(why) = &created.full_because {
        say(&format!("a full backup, because {why}"));
    }
    let manifest = &created.manifest;
    say(&format!(
        "{}: {} groups, {} bytes; {} entries past the first answers make the cut consistent",
        to,
        manifest.groups.len(),
        manifest.bytes(),
        created.closed_by
    ));
    say(&format!("manifest sha256 {}", created.hash));
}

async fn verify(from: &Place, sha256: Option<&str>) -> Result<(), CliError> {
    let brought = from.bring().await?;
    let chain = Chain::open(&brought.dir)?;
    let newest = chain.newest();
    if let Some(wanted) = sha256
        && !wanted.eq_ignore_ascii_case(&newest.hash)
    {
        return Err(CliError::Failed(format!(
            "{from}: the hash of its manifest is {}, and should be {wanted}",
            newest.hash
        )));
    }
    chain.load()?;
    say(&format!(
        "{from}: {} groups of cluster {}, in {} backup(s): whole, consistent, and restorable",
        newest.manifest.groups.len(),
        newest.manifest.cluster_id,
        chain.links().len()
    ));
    Ok(())
}

fn show(link: &Link, from: &Place, json: bool) {
    let manifest = &link.manifest;
    if json {
        say(&serde_json::to_string(manifest).expect("a manifest is plain data"));
        return;
    }
    say(&line(from, manifest));
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

fn line(place: &dyn Display, manifest: &Manifest) -> String {
    let kind = match manifest.previous {
        Some(_) => "incremental",
        None => "full",
    };
    format!(
        "{place}  {}  {kind}  {} groups  {} bytes",
        manifest.created_at,
        manifest.groups.len(),
        manifest.bytes()
    )
}

async fn reconcile(config: &Path, apply: bool) -> Result<ExitCode, CliError> {
    let found = reconcile::reconcile(&Config::load(config)?, apply).await?;
    for (payment, verdict) in &found.payments {
        say(&format!(
            "payment {} of order {}: {} {} {}: {verdict}",
            payment.id, payment.order, payment.amount, payment.currency, payment.status
        ));
    }
    say(&format!(
        "{} payments of this lineage, {} of others; {} agree with the restored state, {} to be given back, \
         {} given back, {} for people to look at",
        found.ours,
        found.others,
        found.agree,
        found.count(|verdict| matches!(verdict, Verdict::Undo(_))),
        found.count(|verdict| matches!(verdict, Verdict::Undone)),
        found.count(|verdict| matches!(verdict, Verdict::Look(_))),
    ));
    let rest = found.count(|verdict| !matches!(verdict, Verdict::Undone));
    Ok(match rest {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
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
            Ok((manifest, _)) => say(&line(&dir.display(), &manifest)),
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
