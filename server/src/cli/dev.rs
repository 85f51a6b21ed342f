//! `usher dev`: the first minute. One node, a temporary directory, an event that sells.

use std::path::PathBuf;
use std::process::ExitCode;

use super::demo::{directory, keep_running};
use super::say;
use crate::demo::children::{Cluster, Plan};
use crate::demo::stadium::Stadium;
use crate::demo::{Error, opening};

/// Starts one node with a demo event and prints what to try.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port for buyers; another free one when it is taken.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Places of the demo event.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub seats: u32,
    /// Keeps data here; by default in a temporary directory, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Runs until Ctrl-C.
pub async fn run(args: Args) -> Result<ExitCode, Error> {
    let (dir, temporary) = directory(args.dir.as_deref(), "usher-dev-")?;
    let plan = Plan {
        nodes: 1,
        shards: 2,
        dir,
        first_port: Some(args.port),
    };
    let cluster = Cluster::start(&plan).await?;
    let sections = Stadium::with_places(args.seats).to_json();
    let event = opening::open_already(
        "A night to try things",
        "Your machine",
        600,
        (8, 64),
        sections,
    );
    let opened = opening::create(&cluster.doors(), &event).await?;
    let url = format!("http://{}", cluster.nodes[0].http);
    let event = &opened.event;
    for line in [
        format!("API      {url}/docs"),
        format!("event    {url}/api/v1/events/{event}"),
        format!("seats    {url}/api/v1/events/{event}/seats"),
        format!("operate  http://{}/", cluster.nodes[0].admin),
        String::new(),
        "Try:".to_owned(),
        format!(
            "  TOKEN=$(curl -s {url}/dev/token -H 'Content-Type: application/json' \\\n    \
             -d '{{\"subject\":\"me\",\"role\":\"buyer\"}}' | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')"
        ),
        format!(
            "  curl -s {url}/api/v1/seats/reserve -H \"Authorization: Bearer $TOKEN\" \\\n    \
             -H 'Content-Type: application/json' \\\n    \
             -d '{{\"event_id\":\"{event}\",\"best_available\":{{\"count\":2}}}}'"
        ),
        String::new(),
    ] {
        say(&line);
    }
    keep_running(&cluster).await;
    cluster.stop().await;
    drop(temporary);
    Ok(ExitCode::SUCCESS)
}
