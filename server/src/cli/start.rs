//! `usher start`: one node, until told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use api::payments::SandboxGateway;
use raft_node::platform::Platform;
use raft_node::platform::forgetful_disk::{ForgetfulDisk, Forgetting};

use super::CliError;
use super::service::Manager;
use crate::demo::exit_with_parent::parent_gone;
use crate::settings::Layers;
use crate::telemetry;

/// How long one call to the provider may take before its outcome counts as unknown.
const PROVIDER_DEADLINE: Duration = Duration::from_secs(10);

/// Runs one node in the foreground.
///
/// A new cluster: write one file a node (same cluster_id, secret, shards and peers; different
/// node_id, data_dir and addresses), start them all, then run `usher init` once.
///
/// A node more: write its file (the same cluster_id, secret and shards; a node_id that no node ever
/// had; `peers` with itself and one or more nodes that run) and start it with --join. It registers
/// itself, gets a replica of everything, and serves readers. It votes once you say
/// `usher cluster rebalance`, or when it has to take the place of a node that is drained or removed.
///
/// SIGTERM or Ctrl-C drain the node: it stops being ready, finishes requests under way, hands
/// leadership over, and exits with 0.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node's configuration (TOML). What the environment says counts more (USHER_HTTP is `http`,
    /// USHER_RAFT__HEARTBEAT_MS is `heartbeat_ms` in `[raft]`), and may be all there is.
    #[arg(long, value_name = "FILE", env = "USHER_CONFIG")]
    pub config: Option<PathBuf>,
    /// A setting that counts more than file and environment: `--set raft.heartbeat_ms=200`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Join the cluster that the configuration's peers belong to, instead of being one of the first
    /// members of a new one. Harmless to keep once it has joined.
    #[arg(long)]
    pub join: bool,
    /// Stop when standard input ends: a child must not outlive whoever started it.
    #[arg(long)]
    pub exit_with_parent: bool,
    /// For proofs (docs/simulation.md, "Real processes"), never for production: `forgets` keeps
    /// what is not synced in the process, so that killing it is a power cut to its data;
    /// `forgets:SEED` also writes some of it back early; `lies:SEED` also forgets what it calls
    /// synced, from some sync on.
    #[arg(long, hide = true, value_name = "HOW")]
    pub disk: Option<Forgetting>,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    let mut flags = args.set;
    if args.join {
        flags.push("join=true".to_owned());
    }
    let config = Layers::of_process(args.config, flags).settle()?.config;
    let mut platform = Platform::os(&config.data_dir).map_err(|source| CliError::File {
        path: config.data_dir.clone(),
        source,
    })?;
    if let Some(forgetting) = args.disk {
        tracing::warn!(
            ?forgetting,
            "a disk for proofs: what is not synced dies with the process"
        );
        platform.disk = Arc::new(ForgetfulDisk::new(platform.disk, forgetting));
    }
    let gateway = SandboxGateway::new(&config.payments.url, PROVIDER_DEADLINE)
        .map_err(|error| CliError::Invalid(format!("payments.url: {error}")))?;
    let origin = telemetry::Origin {
        node: config.node_id,
        cluster: config.cluster_id,
    };
    // Ends with the runtime, at the end of the process.
    let address = config.telemetry.otlp.clone();
    if !address.is_empty() {
        tokio::spawn(telemetry::send(address, origin, &telemetry::OUTBOX));
    }
    let server = crate::node::run(config, platform, Arc::new(gateway)).await?;
    let watch_parent = args.exit_with_parent;
    let manager = Manager::of_process();
    let _pulse = manager.as_ref().and_then(Manager::keep_saying_alive);
    let tell = |turn| manager.iter().for_each(|manager| manager.tell(turn));
    server
        .serve_telling(stop_signal(watch_parent), tell)
        .await?;
    Ok(ExitCode::SUCCESS)
}

async fn stop_signal(watch_parent: bool) {
    let gone = async {
        if !watch_parent {
            return std::future::pending().await;
        }
        parent_gone().await;
    };
    tokio::select! {
        biased;
        () = super::interrupted() => {}
        () = gone => {}
    }
}
