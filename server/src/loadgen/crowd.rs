//! People before a run: their tokens, their joins, what they look at.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde_json::json;

use super::asking::{Asking, Question};
use super::world::section_name;
use super::{Error, Row, asking};
use crate::demo::door::Doors;
use crate::demo::messages::{Joined, QueueDocument};
use crate::demo::opening::{self, rfc3339};
use crate::demo::sale::now_ms;
use crate::dice::secret_hex;
use crate::http_client::{Connection, Request, bearer};

const DEADLINE: Duration = Duration::from_secs(30);
const DRAW_PATIENCE: Duration = Duration::from_secs(30);
/// Tokens are asked for by so many at once.
const ASKERS: usize = 32;
/// Sections of the event that is looked at, of a thousand seats each.
const SECTIONS: u32 = 70;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Read {
    /// One's own place in the line, with one's token.
    Status,
    /// The public document of the line.
    Document,
    /// The event's page: sections, prices, counts.
    Event,
    /// The seat map of a section of 1,000 seats.
    Section,
    /// The same when it has not changed: 304.
    Unchanged,
}

impl Read {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Status,
        Self::Document,
        Self::Event,
        Self::Section,
        Self::Unchanged,
    ];

    /// As rows name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Document => "document",
            Self::Event => "event",
            Self::Section => "section",
            Self::Unchanged => "unchanged",
        }
    }
}

/// An event with a line in front of it.
pub struct Line {
    label: String,
    targets: Vec<SocketAddr>,
    pids: Vec<u32>,
    event: String,
}

impl Line {
    /// Makes the event: its line opens after `lobby`, and then hardly moves.
    pub async fn new(
        label: &str,
        targets: &[SocketAddr],
        pids: &[u32],
        lobby: Duration,
    ) -> Result<Self, Error> {
        let section = |number: u32| json!({"name": section_name(number), "rows": 20, "seats_per_row": 50, "price": 1_000});
        let lobby_ms = i64::try_from(lobby.as_millis()).unwrap_or(i64::MAX);
        let event = json!({
            "name": "A long line", "venue": "Bench", "currency": "EUR",
            "opens_at": rfc3339(now_ms().saturating_add(lobby_ms)),
            "hold_seconds": 600, "max_per_order": 4, "max_per_buyer": 4,
            "queue": { "admit_per_minute": 1, "draw": "random" },
            "sections": (0..SECTIONS).map(section).collect::<serde_json::Value>(),
        });
        let opened = opening::create(targets, &event).await?;
        Ok(Self {
            label: label.to_owned(),
            targets: targets.to_owned(),
            pids: pids.to_owned(),
            event: opened.event,
        })
    }

    /// Development tokens for so many people, as header lines.
    pub async fn people(&self, count: usize) -> Result<Vec<String>, Error> {
        let run = secret_hex(4);
        let asker = |asker: usize| {
            let run = &run;
            async move {
                let doors = Doors::new(&self.targets, 1);
                let mut bearers = Vec::new();
                for number in (asker..count).step_by(ASKERS) {
                    let subject = format!("crowd-{run}-{number}");
                    let token = opening::token(&doors, &subject, "buyer").await?;
                    bearers.push(bearer(&token));
                }
                Ok::<_, Error>(bearers)
            }
        };
        let bearers = try_join_all((0..ASKERS).map(asker)).await?;
        Ok(bearers.into_iter().flatten().collect())
    }

    /// Everybody joins, so many at once.
    pub async fn join(&self, people: &[String], clients: usize) -> Result<Row, Error> {
        let mut questions = vec![Vec::new(); clients.max(1)];
        for (number, bearer) in people.iter().enumerate() {
            let client = number % questions.len();
            questions[client].push(Question {
                method: "POST",
                path: format!("/api/v1/queue/join?event_id={}", self.event),
                headers: bearer.clone(),
                body: Vec::new(),
                status: 200,
            });
        }
        self.asked("join", questions, None).await
    }

    /// The queue token of one of them.
    pub async fn token(&self, bearer: &str) -> Result<String, Error> {
        let path = format!("/api/v1/queue/join?event_id={}", self.event);
        let request = Request::post(&path, b"").with_headers(bearer);
        let joined: Joined = self.one(&request, "a join").await?;
        Ok(joined.queue_token)
    }

    /// Waits for the draw.
    pub async fn await_draw(&self) -> Result<(), Error> {
        let path = format!("/api/v1/events/{}/queue", self.event);
        let start = Instant::now();
        loop {
            let document: QueueDocument = self.one(&Request::get(&path), "the line").await?;
            if document.state == "open" {
                return Ok(());
            }
            if start.elapsed() > DRAW_PATIENCE {
                return Err(Error::Unexpected {
                    what: "the line",
                    status: 200,
                    body: document.state,
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Reads one thing again and again; `tokens` are those of people in the line.
    pub async fn read(
        &self,
        what: Read,
        tokens: &[String],
        clients: usize,
        time: Duration,
    ) -> Result<Row, Error> {
        let event = format!("/api/v1/events/{}", self.event);
        let section = |number: usize| {
            let name = section_name(number as u32 % SECTIONS);
            format!("{event}/seats?section={name}")
        };
        let mut questions = Vec::new();
        for client in 0..clients {
            questions.push(vec![match what {
                Read::Status => {
                    let token = &tokens[client % tokens.len()];
                    Question::get("/api/v1/queue/status", bearer(token))
                }
                Read::Document => Question::get(format!("{event}/queue"), ""),
                Read::Event => Question::get(&event, ""),
                Read::Section => Question::get(section(client), ""),
                Read::Unchanged => {
                    let path = section(client);
                    let headers = format!("If-None-Match: {}\r\n", self.etag(&path).await?);
                    let status = 304;
                    Question {
                        status,
                        ..Question::get(path, headers)
                    }
                }
            }]);
        }
        self.asked(what.name(), questions, Some(time)).await
    }

    async fn asked(
        &self,
        what: &'static str,
        questions: Vec<Vec<Question>>,
        time: Option<Duration>,
    ) -> Result<Row, Error> {
        asking::ask(Asking {
            label: self.label.clone(),
            what,
            targets: self.targets.clone(),
            pids: self.pids.clone(),
            questions,
            time,
        })
        .await
    }

    async fn one<T: serde::de::DeserializeOwned>(
        &self,
        request: &Request<'_>,
        what: &'static str,
    ) -> Result<T, Error> {
        let mut connection = Connection::new(self.targets[0]);
        let reply = connection.call(request, DEADLINE).await;
        let reply = reply.map_err(|source| Error::Call { what, source })?;
        let read = serde_json::from_slice(reply.body).ok();
        read.filter(|_| reply.status == 200)
            .ok_or_else(|| super::client::unexpected(what, &reply))
    }

    /// Nodes name revisions alike, so one's tag is good at all of them.
    async fn etag(&self, path: &str) -> Result<String, Error> {
        let what = "a seat map";
        let mut connection = Connection::new(self.targets[0]);
        let reply = connection.call(&Request::get(path), DEADLINE).await;
        let reply = reply.map_err(|source| Error::Call { what, source })?;
        let etag = reply.header("etag").map(str::to_owned);
        etag.ok_or_else(|| super::client::unexpected(what, &reply))
    }
}
