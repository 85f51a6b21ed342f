//! Load against a running cluster, from one thread, checked seat by seat afterwards.
//!
//! [`world`] is what all clients of a run share and expect; [`client`] one of them; [`cpu`] what
//! it costs whom; [`row`] the figures. [`asking`] is for requests that change nothing the next one
//! depends on, of a [`crowd`]. Closed loop by default: each client asks again when it was
//! answered. With a rate, open loop: requests begin when the clock says so, and their latency
//! counts from then, so that a server which stalls cannot hide it.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a load generator beside the cluster: real time, real chance, its own thread"
)]

pub mod asking;
mod client;
pub(crate) mod cpu;
pub mod crowd;
mod one_thread;
pub mod row;
mod setup;
mod verify;
mod world;

pub use one_thread::on_one_thread;
pub use row::Row;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::demo::opening;
use crate::http_client;
use cpu::Usage;
use world::World;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Holds four random seats of one section; releases the oldest order once 5 % are held.
    Hold,
    /// The same, but every hold is paid, and the oldest order is refunded.
    Flow,
}

impl Workload {
    /// As rows name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Flow => "flow",
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the row is called.
    pub label: String,
    /// Addresses of nodes for buyers; clients spread over them.
    pub targets: Vec<SocketAddr>,
    /// What clients do.
    pub workload: Workload,
    /// How many at once.
    pub clients: usize,
    /// How long, after one second of warm-up.
    pub time: Duration,
    /// Orders begun a second, whatever comes back; `None`: as fast as answers come.
    pub rate: Option<f64>,
    /// Shards the event is spread over; `None`: as the cluster finds right.
    pub spread: Option<u16>,
    /// Server processes on this machine, to tell what they cost.
    pub pids: Vec<u32>,
}

/// Why a run has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The event could not be made.
    #[error(transparent)]
    Setup(#[from] opening::Error),
    /// A request was not answered.
    #[error("{what}: {source}")]
    Call {
        /// Which.
        what: &'static str,
        /// Why not.
        source: http_client::Error,
    },
    /// An answer that no right server gives here.
    #[error("{what} was answered {status}: {body}")]
    Unexpected {
        /// To what.
        what: &'static str,
        /// HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// Seats are not what the answers said.
    #[error("{doubles} seats granted twice, {wrong} seats wrong, {orders} orders wrong")]
    Wrong {
        /// Granted while another order surely had them.
        doubles: u64,
        /// In another state than the answers say.
        wrong: u64,
        /// In another state than the answers say.
        orders: u64,
    },
    /// The system does not tell what processes cost.
    #[error("cannot read what processes cost: {0}")]
    Cpu(#[from] std::io::Error),
}

const WARM_UP: Duration = Duration::from_secs(1);

/// Runs it; best called through [`on_one_thread`].
pub async fn run(plan: &Plan) -> Result<Row, Error> {
    let (event, mut clients) = setup::prepare(plan).await?;
    let world = Arc::new(World::new(plan.workload, event));
    clients = client::work(clients, &world, WARM_UP, plan.rate).await?;
    world.start_measuring();
    let yardstick_ms = cpu::yardstick();
    let (before, start) = (Usage::now(&plan.pids)?, Instant::now());
    clients = client::work(clients, &world, plan.time, plan.rate).await?;
    let time = start.elapsed();
    let used = Usage::now(&plan.pids)?.since(&before);
    let held = verify::verify(&mut clients, &world).await?;
    Ok(world.row(plan, time, &used, yardstick_ms, held))
}
