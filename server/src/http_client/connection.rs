//! One connection: one request at a time, opened when needed, reopened after it broke.

use std::io::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::response::{Framing, Head, parse_head, unchunk};
use super::target::{Stream, Target};
use super::{Error, Reply, Request};

/// Buffers that grew beyond this for one big answer are given back.
const BUFFER_KEPT_BYTES: usize = 256 * 1024;

/// A connection to one server.
#[derive(Debug)]
pub struct Connection {
    target: Target,
    /// Taken out while a request is under way, so that a dropped call leaves no half-read answer.
    stream: Option<Stream>,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    unchunked: Vec<u8>,
}

impl Connection {
    /// A connection that opens with the first request.
    pub fn new(target: impl Into<Target>) -> Self {
        Self {
            target: target.into(),
            stream: None,
            outbox: Vec::new(),
            inbox: Vec::with_capacity(4096),
            unchunked: Vec::new(),
        }
    }

    /// Sends a request and waits for the whole answer, at most `deadline`.
    pub async fn call(
        &mut self,
        request: &Request<'_>,
        deadline: Duration,
    ) -> Result<Reply<'_>, Error> {
        self.render(request);
        let head = timeout(deadline, self.exchange())
            .await
            .map_err(|_| Error::Deadline)??;
        let (head_bytes, rest) = self.inbox.split_at(head.bytes);
        let body = match head.framing {
            Framing::Length(length) => &rest[..length],
            Framing::Chunked => &self.unchunked[..],
            Framing::ToTheEnd => rest,
        };
        Ok(Reply {
            status: head.status,
            retry_after: head.retry_after,
            head: head_bytes,
            body,
        })
    }

    /// Closes it; the next call opens another.
    pub fn close(&mut self) {
        self.stream = None;
    }

    fn render(&mut self, request: &Request<'_>) {
        let Request {
            method,
            path,
            headers,
            body,
        } = request;
        let out = &mut self.outbox;
        out.clear();
        write!(
            out,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}",
            self.target.address
        )
        .expect("writing to memory cannot fail");
        if !body.is_empty() || *method == "POST" {
            write!(
                out,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            )
            .expect("writing to memory cannot fail");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
    }

    async fn exchange(&mut self) -> Result<Head, Error> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await?,
        };
        let broken = |source| Error::Broken { source };
        stream.write_all(&self.outbox).await.map_err(broken)?;
        if self.inbox.capacity() > BUFFER_KEPT_BYTES {
            self.inbox = Vec::with_capacity(4096);
        }
        self.inbox.clear();
        self.read_more(&mut stream).await?;
        let head = loop {
            match parse_head(&self.inbox)? {
                // An interim answer; the real one follows, and may have come with it.
                Some(head) if head.status < 200 => drop(self.inbox.drain(..head.bytes)),
                Some(head) => break head,
                None => self.read_more(&mut stream).await?,
            }
        };
        self.read_body(&mut stream, &head).await?;
        if head.keep_alive {
            self.stream = Some(stream);
        }
        Ok(head)
    }

    async fn read_body(&mut self, stream: &mut Stream, head: &Head) -> Result<(), Error> {
        match head.framing {
            Framing::Length(length) => {
                while self.inbox.len() < head.bytes + length {
                    self.read_more(stream).await?;
                }
            }
            Framing::Chunked => {
                while unchunk(&self.inbox[head.bytes..], &mut self.unchunked)?.is_none() {
                    self.read_more(stream).await?;
                }
            }
            Framing::ToTheEnd => loop {
                match self.read_more(stream).await {
                    Ok(()) => {}
                    Err(Error::Closed) => break,
                    Err(error) => return Err(error),
                }
            },
        }
        Ok(())
    }

    async fn read_more(&mut self, stream: &mut Stream) -> Result<(), Error> {
        self.inbox.reserve(2048);
        match stream.read_buf(&mut self.inbox).await {
            Ok(0) => Err(Error::Closed),
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Broken { source }),
        }
    }

    async fn open(&self) -> Result<Stream, Error> {
        let opened = self.target.open().await;
        opened.map_err(|source| Error::Connect {
            address: self.target.address,
            source,
        })
    }
}
