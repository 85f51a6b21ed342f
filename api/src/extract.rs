//! Reading requests. Whatever cannot be read is a problem that names the field.
//!
//! Bodies are parsed once, straight into their type; only when that fails are they parsed again
//! with the path kept, so a good request pays nothing for good messages.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query as AxumQuery, RawPathParams, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// Bytes of an ordinary body.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Bytes of the body that creates an event: thousands of sections, each with its exceptions.
pub const EVENT_BYTES_MAX: usize = 4 << 20;
/// A body that takes longer is given up.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// A JSON body of at most `LIMIT` bytes.
pub struct Json<T, const LIMIT: usize = BODY_BYTES_MAX>(
    /// What it says.
    pub T,
);

impl<S: Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        json_by_its_own_account(&parts.headers)?;
        let bytes = bytes(&parts.headers, body, LIMIT).await?;
        parse(&bytes).map(Self)
    }
}

/// Collects a body of at most `limit` bytes.
pub async fn bytes(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::BodyTooLarge, format!("at most {limit} bytes"));
    let told = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if told
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| length > limit as u64)
    {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::BodyInvalid, "the body broke off")),
        Err(_) => Err(Problem::new(
            Code::BodyTooSlow,
            "the body did not arrive within 10 s",
        )),
    }
}

/// Parses a JSON object, naming the field that is wrong.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list for an object, field by field in order of declaration.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Code::BodyInvalid, "a JSON object is expected"));
    }
    serde_json::from_slice(bytes).map_err(|_| explain::<T>(bytes))
}

fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) => error,
        Ok(_) => return Problem::new(Code::BodyInvalid, "something follows the JSON value"),
    };
    let message = error.inner().to_string();
    let message = message
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut field = error.path().to_string();
    // serde tells unknown, missing and repeated fields by name, not by path.
    if let Some(name) = named(&message) {
        let whole = field.rsplit(['.', ']']).next() == Some(name.as_str());
        field = match field.as_str() {
            "." => name,
            _ if whole => field,
            path => format!("{path}.{name}"),
        };
    }
    let problem = Problem::new(Code::BodyInvalid, message);
    if field == "." {
        problem
    } else {
        problem.at(field)
    }
}

/// The name in "unknown field `name`, expected ...", if the message is of that kind.
fn named(message: &str) -> Option<String> {
    let kinds = ["unknown field `", "missing field `", "duplicate field `"];
    let rest = kinds.iter().find_map(|kind| message.strip_prefix(kind))?;
    rest.split('`').next().map(str::to_owned)
}

fn json_by_its_own_account(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    json.then_some(())
        .ok_or_else(|| Problem::new(Code::MediaTypeUnsupported, "send application/json"))
}

/// Query parameters.
pub struct Query<T>(
    /// What they say.
    pub T,
);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        AxumQuery::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|error| {
                let text = error.body_text();
                let message = text.rsplit(": ").next().unwrap_or_default().to_owned();
                let field = named(&message).or_else(|| {
                    let mut pieces = text.rsplit(": ").skip(1);
                    pieces
                        .next()
                        .filter(|piece| !piece.contains(' '))
                        .map(str::to_owned)
                });
                let problem = Problem::new(Code::QueryInvalid, message);
                if let Some(field) = field {
                    problem.at(field)
                } else {
                    problem
                }
            })
    }
}

/// The one id in a route's path, as text.
pub struct PathText(
    /// The text.
    pub String,
);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unknown = || Problem::new(Code::RouteUnknown, "the path is malformed");
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| unknown())?;
        params
            .iter()
            .next()
            .map(|(_, text)| Self(text.to_owned()))
            .ok_or_else(unknown)
    }
}

/// The caller's `Idempotency-Key`, if there is one.
pub struct IdempotencyKey(
    /// 1 to 255 printable characters.
    pub Option<String>,
);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        idempotency_key(&parts.headers).map(|key| Self(key.map(str::to_owned)))
    }
}

/// Checks the `Idempotency-Key` of any POST.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let sound =
        (1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    sound.then_some(Some(text)).ok_or_else(|| {
        Problem::new(
            Code::IdempotencyKeyInvalid,
            "1 to 255 printable ASCII characters",
        )
    })
}
