//! Requests that are known beforehand, asked one after the other by each of some clients: what polls,
//! pages and joins cost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::cpu::{self, Usage};
use super::world::histogram;
use super::{Error, Row};
use crate::http_client::{Connection, Request};

const DEADLINE: Duration = Duration::from_secs(30);

/// One request, and what it must be answered.
#[derive(Clone, Debug)]
pub struct Question {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Further header lines, each with its CRLF.
    pub headers: String,
    /// JSON, or nothing.
    pub body: Vec<u8>,
    /// The only right status.
    pub status: u16,
}

impl Question {
    /// A `GET` that is answered 200.
    pub fn get(path: impl Into<String>, headers: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            headers: headers.into(),
            body: Vec::new(),
            status: 200,
        }
    }
}

/// A run of one kind of question.
#[derive(Clone, Debug)]
pub struct Asking {
    /// How the row is called.
    pub label: String,
    /// What is asked, in a word.
    pub what: &'static str,
    /// Nodes' addresses for buyers; clients take turns with them.
    pub targets: Vec<SocketAddr>,
    /// Server processes on this machine, to tell what they cost.
    pub pids: Vec<u32>,
    /// Each client's questions, asked in turn.
    pub questions: Vec<Vec<Question>>,
    /// How long they are asked again and again; `None`: each once.
    pub time: Option<Duration>,
}

/// Asks; every answer must be the right one.
pub async fn ask(asking: Asking) -> Result<Row, Error> {
    let clients = asking.questions.len();
    let yardstick_ms = cpu::yardstick();
    let (before, start) = (Usage::now(&asking.pids)?, Instant::now());
    let stop = asking.time.map(|time| start + time);
    let mut tasks = Vec::new();
    for (number, questions) in asking.questions.into_iter().enumerate() {
        let target = asking.targets[number % asking.targets.len()];
        tasks.push(tokio::spawn(client(target, questions, asking.what, stop)));
    }
    let mut waits = histogram();
    for task in tasks {
        match task.await {
            Ok(waited) => waits.add(waited?).expect("all have the same bounds"),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let used = Usage::now(&asking.pids)?.since(&before);
    let per_request = |cpu_s: f64| (cpu_s * 1e7 / waits.len().max(1) as f64).round() / 10.0;
    Ok(Row {
        target: asking.label,
        mode: asking.what.to_owned(),
        clients,
        seconds,
        requests_per_s: (waits.len() as f64 / seconds).round(),
        p50_us: waits.value_at_quantile(0.5),
        p99_us: waits.value_at_quantile(0.99),
        p999_us: waits.value_at_quantile(0.999),
        server_cpu_us: per_request(used.server),
        client_cpu_us: per_request(used.client),
        other_cpu: (used.other.max(0.0) / seconds * 100.0).round() / 100.0,
        yardstick_ms,
        ..Row::default()
    })
}

async fn client(
    target: SocketAddr,
    questions: Vec<Question>,
    what: &'static str,
    stop: Option<Instant>,
) -> Result<Histogram<u64>, Error> {
    let mut connection = Connection::new(target);
    let mut waits = histogram();
    loop {
        for question in &questions {
            if stop.is_some_and(|stop| Instant::now() >= stop) {
                return Ok(waits);
            }
            let request = Request {
                method: question.method,
                path: &question.path,
                headers: &question.headers,
                body: &question.body,
            };
            let asked = Instant::now();
            let reply = connection.call(&request, DEADLINE).await;
            let reply = reply.map_err(|source| Error::Call { what, source })?;
            if reply.status != question.status {
                let body = String::from_utf8_lossy(reply.body);
                return Err(Error::Unexpected {
                    what,
                    status: reply.status,
                    body: body.chars().take(300).collect(),
                });
            }
            waits.saturating_record(asked.elapsed().as_micros() as u64);
        }
        if stop.is_none() || questions.is_empty() {
            return Ok(waits);
        }
    }
}
