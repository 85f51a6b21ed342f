//! Asks one node's admin listener.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{CliError, identity};
use crate::http_client::{Pool, Request};

/// How long an operator waits for one node.
const DEADLINE: Duration = Duration::from_secs(20);

/// A client of one node.
pub struct AdminClient {
    name: String,
    pool: Pool,
}

impl AdminClient {
    /// A client for `host:port`.
    pub fn new(address: &str) -> Result<Self, CliError> {
        let resolved: Option<SocketAddr> = address
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next());
        let resolved =
            resolved.ok_or_else(|| CliError::Invalid(format!("{address}: not host:port")))?;
        let (host, _) = address.rsplit_once(':').unwrap_or((address, ""));
        Ok(Self {
            name: address.to_owned(),
            pool: Pool::new(identity::target(resolved, host), 1),
        })
    }

    /// POSTs JSON; the answer's body.
    pub async fn post(&self, path: &str, body: &str) -> Result<String, CliError> {
        self.call(&Request::post(path, body.as_bytes())).await
    }

    /// DELETEs; the answer's body.
    pub async fn delete(&self, path: &str) -> Result<String, CliError> {
        let request = Request {
            method: "DELETE",
            ..Request::get(path)
        };
        self.call(&request).await
    }

    /// Reads a body of a known shape.
    pub fn read<T: DeserializeOwned>(&self, body: &str) -> Result<T, CliError> {
        serde_json::from_str(body).map_err(|error| CliError::Unexpected {
            node: self.name.clone(),
            answer: error.to_string(),
        })
    }

    /// GETs JSON of a known shape.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        let body = self.call(&Request::get(path)).await?;
        serde_json::from_str(&body).map_err(|error| CliError::Unexpected {
            node: self.name.clone(),
            answer: format!("{path}: {error}"),
        })
    }

    /// GETs whatever it is: status and body.
    pub async fn get_bytes(&self, path: &str) -> Result<(u16, Vec<u8>), CliError> {
        let request = Request::get(path).with_headers(identity::api_key());
        let answer = self.pool.call(&request, DEADLINE).await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        Ok((answer.status, answer.body.to_vec()))
    }

    /// Its `host:port`.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn unreachable(&self, error: &crate::http_client::Error) -> CliError {
        CliError::Unreachable {
            node: self.name.clone(),
            reason: error.to_string(),
        }
    }

    async fn call(&self, request: &Request<'_>) -> Result<String, CliError> {
        let answer = self
            .pool
            .call(&request.with_headers(identity::api_key()), DEADLINE)
            .await
            .map_err(|error| CliError::Unreachable {
                node: self.name.clone(),
                reason: error.to_string(),
            })?;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        match answer.status {
            200..=299 => Ok(body),
            400..=599 if refusal(&body).is_some() => Err(CliError::Refused {
                node: self.name.clone(),
                reason: refusal(&body).unwrap_or_default(),
            }),
            status => Err(CliError::Unexpected {
                node: self.name.clone(),
                answer: format!("{status} {body}"),
            }),
        }
    }
}

/// What a problem document says, with its code.
fn refusal(body: &str) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_str(body).ok()?;
    let (error, detail) = (
        problem.get("error")?.as_str()?,
        problem.get("detail")?.as_str()?,
    );
    Some(format!("{detail} ({error})"))
}
