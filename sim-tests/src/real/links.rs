//! The network between the nodes: a TCP proxy in front of each, with a weather of its own for
//! every ordered pair (who dials, who is dialled).
//!
//! A connection carries the dialler's requests one way and the dialled one's answers the other.
//! Bytes are never altered or lost within a connection, as TCP has it: they come late, not yet, or
//! the connection breaks.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dialler;
use super::plan::{Gust, Kind, NODES};

/// How one way of a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Clear,
    Slow(u64),
    Still,
}

/// How a link is.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// What the dialler says.
    there: Flow,
    /// What it is told.
    back: Flow,
    refused: bool,
    /// Counts the times its connections broke.
    broken: u64,
}

impl Weather {
    const FAIR: Self = Self {
        there: Flow::Clear,
        back: Flow::Clear,
        refused: false,
        broken: 0,
    };

    fn turn(&mut self, kind: Kind) {
        match kind {
            Kind::Broken => self.broken += 1,
            Kind::Refused => {
                self.broken += 1;
                self.refused = true;
            }
            Kind::Slow(ms) => (self.there, self.back) = (Flow::Slow(ms), Flow::Slow(ms)),
            Kind::Silent => (self.there, self.back) = (Flow::Still, Flow::Still),
            Kind::Deaf => self.back = Flow::Still,
            Kind::Dumb => self.there = Flow::Still,
        }
    }
}

/// All links. Dropping them breaks every connection.
pub struct Links {
    shared: Arc<Shared>,
    _doors: JoinSet<()>,
}

struct Shared {
    weather: BTreeMap<(usize, usize), watch::Sender<Weather>>,
    pids: Mutex<Vec<Option<u32>>>,
}

impl Links {
    /// Listens once for each node; gives where others shall dial it.
    pub async fn open(nodes: &[SocketAddr]) -> io::Result<(Self, Vec<SocketAddr>)> {
        let pairs = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to)));
        let weather = pairs.map(|pair| (pair, watch::Sender::new(Weather::FAIR)));
        let shared = Arc::new(Shared {
            weather: weather.collect(),
            pids: Mutex::new(vec![None; NODES]),
        });
        let (mut doors, mut addresses) = (JoinSet::new(), Vec::new());
        for (to, node) in nodes.iter().enumerate() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(listener.local_addr()?);
            doors.spawn(accept(listener, *node, to, shared.clone()));
        }
        let links = Self {
            shared,
            _doors: doors,
        };
        Ok((links, addresses))
    }

    /// Says which process a node is now.
    pub fn set_pid(&self, node: usize, pid: Option<u32>) {
        self.shared.pids()[node] = pid;
    }

    /// Makes links misbehave.
    pub fn blow(&self, gust: &Gust) {
        for pair in &gust.links {
            self.shared.weather[pair].send_modify(|weather| weather.turn(gust.kind));
        }
    }

    /// Fair weather everywhere.
    pub fn heal(&self) {
        for weather in self.shared.weather.values() {
            weather.send_modify(|weather| {
                *weather = Weather {
                    broken: weather.broken,
                    ..Weather::FAIR
                };
            });
        }
    }
}

impl Shared {
    fn pids(&self) -> MutexGuard<'_, Vec<Option<u32>>> {
        self.pids.lock().expect("nobody panics holding it")
    }
}

async fn accept(listener: TcpListener, node: SocketAddr, to: usize, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((dialler, from)) = listener.accept().await else {
            // Out of descriptors, say: the next moment may be better.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let Ok(here) = dialler.local_addr() else {
            continue;
        };
        let pids = shared.pids().clone();
        // Whoever it is is dead already: nobody will miss the connection.
        let Some(who) = dialler::find(from, here, &pids) else {
            continue;
        };
        let weather = shared.weather[&(who, to)].subscribe();
        connections.spawn(async move {
            // However it ends, the connection is over.
            let _ = carry(dialler, node, weather).await;
        });
    }
}

/// One connection, until either end closes it or the weather breaks it.
async fn carry(
    dialler: TcpStream,
    node: SocketAddr,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let broken = {
        let now = weather.borrow_and_update();
        if now.refused {
            return Ok(());
        }
        now.broken
    };
    let dialled = TcpStream::connect(node).await?;
    dialled.set_nodelay(true)?;
    dialler.set_nodelay(true)?;
    let (asks, answers) = dialler.into_split();
    let (hears, takes) = dialled.into_split();
    let there = pump(asks, takes, weather.clone(), |weather| weather.there);
    let back = pump(hears, answers, weather.clone(), |weather| weather.back);
    let breaks = async {
        // The sender lives as long as the links.
        let _ = weather.wait_for(|weather| weather.broken != broken).await;
        Ok(())
    };
    tokio::select! {
        biased;
        end = breaks => end,
        end = there => end,
        end = back => end,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    flow: fn(&Weather) -> Flow,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        let moving = weather
            .wait_for(|weather| flow(weather) != Flow::Still)
            .await
            .map(|weather| flow(&weather));
        if let Ok(Flow::Slow(ms)) = moving {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        to.write_all(&bytes[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const NOT_YET: Duration = Duration::from_millis(50);

    /// A node that says what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut hears, mut says) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut hears, &mut says).await });
            }
        });
        address
    }

    async fn hears(stream: &mut TcpStream, within: Duration) -> Option<u8> {
        let byte = timeout(within, stream.read_u8()).await;
        byte.ok()?.ok()
    }

    #[tokio::test]
    async fn a_link_is_slow_still_or_broken_and_heals() {
        let node = echo().await;
        let (links, dialled) = Links::open(&[node]).await.expect("loopback");
        // We are node 1.
        links.set_pid(1, Some(std::process::id()));
        let gust = |kind| Gust {
            links: vec![(1, 0)],
            kind,
            for_ms: 0,
        };
        let mut stream = TcpStream::connect(dialled[0]).await.expect("it listens");
        stream.write_u8(1).await.expect("it is up");
        assert_eq!(hears(&mut stream, SOON).await, Some(1));
        for kind in [Kind::Silent, Kind::Deaf, Kind::Dumb] {
            links.blow(&gust(kind));
            stream.write_u8(2).await.expect("it is taken");
            assert_eq!(hears(&mut stream, NOT_YET).await, None, "{kind:?}");
            links.heal();
            assert_eq!(hears(&mut stream, SOON).await, Some(2), "{kind:?}");
        }
        links.blow(&gust(Kind::Slow(30)));
        stream.write_u8(3).await.expect("it is up");
        assert_eq!(hears(&mut stream, Duration::from_millis(10)).await, None);
        assert_eq!(hears(&mut stream, SOON).await, Some(3));
        links.blow(&gust(Kind::Refused));
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "it broke");
        let mut stream = TcpStream::connect(dialled[0]).await.expect("it listens");
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "refused");
        links.heal();
        let mut stream = TcpStream::connect(dialled[0]).await.expect("it listens");
        stream.write_u8(4).await.expect("it is up");
        assert_eq!(hears(&mut stream, SOON).await, Some(4));
    }
}
