//! A small keep-alive HTTP/1.1 client for the tools that sit beside a cluster: the demo's buyers,
//! the load generator, the audit.
//!
//! It exists because a load generator on the servers' own machine takes its time from them: one
//! buffered write, one parse and no allocation per request is most of what it has to cost. It
//! knows `Content-Length` and chunked bodies, deadlines, and mutual TLS towards operators' listeners;
//! no redirects.
//!
//! An answer has three kinds, as everywhere here: an answer, certainly nothing happened
//! ([`Error::unsent`]), and *unknown*.

mod connection;
mod pool;
mod response;
mod target;

pub use connection::Connection;
pub use pool::{Answer, Pool};
pub use response::Reply;
pub use target::Target;

use std::io;
use std::net::SocketAddr;

/// A request as it goes on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// Path and query, already escaped.
    pub path: &'a str,
    /// Further header lines, each with its CRLF: who sends the same ones a million times renders
    /// them once.
    pub headers: &'a str,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A `GET`.
    pub fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            headers: "",
            body: b"",
        }
    }

    /// A `POST` of JSON.
    pub fn post(path: &'a str, body: &'a [u8]) -> Self {
        Self {
            method: "POST",
            path,
            headers: "",
            body,
        }
    }

    /// The same with these header lines.
    pub fn with_headers(self, headers: &'a str) -> Self {
        Self { headers, ..self }
    }
}

/// A bearer token's header line.
pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens. Certainly nothing happened.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where to.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The deadline passed.
    #[error("no answer before the deadline")]
    Deadline,
    /// The connection broke after something was sent.
    #[error("the connection broke: {source}")]
    Broken {
        /// What the system said.
        source: io::Error,
    },
    /// The server closed the connection instead of answering.
    #[error("the connection was closed before the whole answer came")]
    Closed,
    /// The answer is not HTTP.
    #[error("the answer is not HTTP: {what}")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
}

impl Error {
    /// Whether the request certainly did not reach a server.
    pub fn unsent(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }
}

#[cfg(test)]
mod tests;
