//! A small HTTP client for one provider: keep-alive connections in a pool, a deadline per call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

const IDLE_MAX: usize = 128;
const ANSWER_BYTES_MAX: usize = 1 << 20;

type Connection = SendRequest<Full<Bytes>>;

/// Nobody knows whether the call reached the provider, or what became of it.
#[derive(Debug, thiserror::Error)]
#[error("the provider did not answer")]
pub struct NoAnswer;

/// A client of one provider.
pub struct Client {
    /// `host:port`.
    address: String,
    deadline: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    /// A client of `http://host:port`.
    pub fn new(url: &str, deadline: Duration) -> Result<Self, String> {
        let address = url
            .strip_prefix("http://")
            .ok_or("the provider's URL must start with http://")?;
        let address = address.trim_end_matches('/');
        if !address.contains(':') || address.contains('/') {
            return Err("the provider's URL must be http://host:port".to_owned());
        }
        Ok(Self {
            address: address.to_owned(),
            deadline,
            idle: Mutex::default(),
        })
    }

    /// Makes a call: the answer's status and JSON (null when it has none).
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), NoAnswer> {
        let request = || {
            let mut request = Request::builder()
                .method(&method)
                .uri(path)
                .header(header::HOST, &self.address);
            if let Some(key) = key {
                request = request.header("idempotency-key", key);
            }
            if body.is_some() {
                request = request.header(header::CONTENT_TYPE, "application/json");
            }
            let bytes = body.as_ref().map(Value::to_string).unwrap_or_default();
            request
                .body(Full::new(Bytes::from(bytes)))
                .map_err(|_| NoAnswer)
        };
        timeout(self.deadline, async {
            let pooled = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            if let Some(connection) = pooled
                // The provider may have closed it meanwhile; then a fresh one is tried. Sending
                // twice is safe: the key is the same.
                && let Ok(answer) = self.exchange(connection, request()?).await
            {
                return Ok(answer);
            }
            self.exchange(self.connect().await?, request()?).await
        })
        .await
        .map_err(|_| NoAnswer)?
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Value), NoAnswer> {
        connection.ready().await.map_err(|_| NoAnswer)?;
        let answer = connection
            .send_request(request)
            .await
            .map_err(|_| NoAnswer)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body = body.map_err(|_| NoAnswer)?.to_bytes();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && !connection.is_closed() {
            idle.push(connection);
        }
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn connect(&self) -> Result<Connection, NoAnswer> {
        let stream = TcpStream::connect(&self.address)
            .await
            .map_err(|_| NoAnswer)?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NoAnswer)?;
        // Ends with the connection, which ends when the pool drops it.
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a provider's connection broke");
            }
        });
        Ok(connection)
    }
}
