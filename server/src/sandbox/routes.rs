//! The provider's HTTP routes, and the one place where its faults strike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Authorization, Begun, Payment, Step, Stored};
use super::faults::Change;
use super::webhooks::Event;
use super::{Shared, lock, now_ms};

const BODY_BYTES_MAX: usize = 64 * 1024;

/// The fault of an answer lost on its way: the connection closes without it.
#[derive(Debug, thiserror::Error)]
#[error("the answer was lost on purpose")]
pub(super) struct AnswerLost;

/// Answers one request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, AnswerLost> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let key = request.headers().get("idempotency-key");
    let key = key
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX)
        .collect()
        .await
    else {
        return Ok(problem(413, "body_too_large"));
    };
    let body = body.to_bytes();
    match (&method, path.as_str()) {
        (&Method::GET, "/v1/ledger") => Ok(ledger(&shared)),
        (&Method::GET, "/v1/payments") => Ok(look_up(&shared, &query)),
        (&Method::GET, "/v1/faults") => Ok(reply(200, &json!(*lock(&shared.faults)))),
        (&Method::PUT, "/v1/faults") => Ok(set_faults(&shared, &body)),
        (&Method::POST, path) => match step(path, &body) {
            Ok(call) => {
                // On a task of its own: a caller that dies must not leave its key half done.
                let work = tokio::spawn(carry_out(shared, key, path_and_body(path, &body), call));
                work.await.unwrap_or_else(|_| Ok(problem(500, "internal")))
            }
            Err((status, error)) => Ok(problem(status, error)),
        },
        _ => Ok(problem(404, "no_such_route")),
    }
}

/// A call, and what the seller wants repeated in the webhook about it.
struct Call {
    step: Step,
    attempt: Value,
    step_name: Value,
}

#[derive(Deserialize)]
struct AuthorizeBody {
    order: String,
    amount: u64,
    currency: String,
    method: String,
    #[serde(default)]
    capture: bool,
}

/// What is asked for, or the status and code of why that is not clear.
fn step(path: &str, body: &[u8]) -> Result<Call, (u16, &'static str)> {
    let value: Value = match body.is_empty() {
        true => json!({}),
        false => serde_json::from_slice(body).map_err(|_| (400, "not_json"))?,
    };
    let (attempt, step_name) = (value["attempt"].clone(), value["step"].clone());
    let with = |step| {
        Ok(Call {
            step,
            attempt,
            step_name,
        })
    };
    if path == "/v1/payments" {
        let body: AuthorizeBody =
            serde_json::from_value(value).map_err(|_| (400, "parameters_invalid"))?;
        if body.capture || body.amount == 0 {
            return Err((400, "parameters_invalid"));
        }
        let AuthorizeBody {
            order,
            amount,
            currency,
            method,
            ..
        } = body;
        return with(Step::Authorize(Authorization {
            order,
            amount,
            currency,
            method,
        }));
    }
    let rest = path
        .strip_prefix("/v1/payments/")
        .and_then(|rest| rest.rsplit_once('/'));
    match rest {
        Some((id, "capture")) => with(Step::Capture(id.to_owned())),
        Some((id, "cancel")) => with(Step::Cancel(id.to_owned())),
        Some((id, "refund")) => with(Step::Refund(id.to_owned())),
        _ => Err((404, "no_such_route")),
    }
}

/// What a key is bound to. The body is spelled canonically, so that order of fields is no change.
fn path_and_body(path: &str, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    format!("{path} {body}")
}

async fn carry_out(
    shared: Arc<Shared>,
    key: String,
    request: String,
    call: Call,
) -> Result<Response<Full<Bytes>>, AnswerLost> {
    if key.is_empty() || key.len() > 255 {
        return Ok(problem(400, "key_missing"));
    }
    let begun = lock(&shared.book).begin(&key, &request);
    if let Begun::Answered(stored) = begun {
        return Ok(reply(stored.status, &stored.body));
    }
    let faults = *lock(&shared.faults);
    if faults.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(faults.delay_ms)).await;
    }
    let (fails, done, declined, lost) = {
        let mut dice = lock(&shared.dice);
        let first_step = matches!(call.step, Step::Authorize(_));
        (
            dice.percent(faults.error_percent),
            !first_step || dice.percent(50),
            dice.percent(faults.decline_percent),
            dice.percent(faults.lost_answer_percent),
        )
    };
    let (answer, event) = settle(
        &shared,
        &key,
        &call,
        Chance {
            fails,
            done,
            declined,
        },
    )?;
    if let Some(event) = event {
        announce(&shared, event);
    }
    if lost {
        Err(AnswerLost)
    } else {
        Ok(reply(answer.status, &answer.body))
    }
}

/// How the dice fell for one call.
struct Chance {
    fails: bool,
    done: bool,
    declined: bool,
}

/// Moves the payment and writes it down, under the book's lock so that the journal's order is
/// the book's.
fn settle(
    shared: &Shared,
    key: &str,
    call: &Call,
    chance: Chance,
) -> Result<(Stored, Option<Event>), AnswerLost> {
    let mut book = lock(&shared.book);
    let (mut answer, mut event) = (None, None);
    if chance.done || !chance.fails {
        let moved = book.settle(key, &call.step, chance.declined, now_ms());
        let payment = moved.payment.and_then(|id| book.payment(&id).cloned());
        event = payment.map(|payment| describe(key, call, &payment));
        answer = Some(moved.answer);
    }
    if chance.fails {
        answer = Some(book.settle_as_failed(key));
    }
    let answer = answer.expect("one of the two branches above ran");
    if let Some(journal) = lock(&shared.journal).as_mut()
        && let Err(error) = journal.keep(&book, key)
    {
        // What cannot be written down must not be answered.
        tracing::error!(%error, "the provider cannot keep its ledger");
        return Err(AnswerLost);
    }
    Ok((answer, event))
}

fn describe(key: &str, call: &Call, payment: &Payment) -> Event {
    let step = match &call.step_name {
        Value::Null => json!(call.step.name()),
        named => named.clone(),
    };
    Event {
        body: json!({
            "type": payment.status.name(),
            "order": payment.order,
            "step": step,
            "attempt": call.attempt,
            "key": key,
            "reference": payment.id,
        }),
    }
}

fn announce(shared: &Shared, event: Event) {
    let faults = *lock(&shared.faults);
    let (twice, held_back) = {
        let mut dice = lock(&shared.dice);
        let delay = if faults.reorder_webhooks {
            dice.below(500)
        } else {
            0
        };
        (
            dice.percent(faults.duplicate_webhook_percent),
            Duration::from_millis(delay),
        )
    };
    shared
        .webhooks
        .send(event, held_back, if twice { 2 } else { 1 });
}

fn look_up(shared: &Shared, query: &str) -> Response<Full<Bytes>> {
    let show = |payment: &Payment| {
        let Payment {
            id,
            key,
            order,
            amount,
            currency,
            status,
            ..
        } = payment;
        json!({"id": id, "key": key, "order": order, "amount": amount,
               "currency": currency, "status": status})
    };
    let book = lock(&shared.book);
    let payments: Vec<Value> = match query.split_once('=') {
        Some(("key", key)) => match book.by_key(key) {
            Ok(payment) => payment.map(show).into_iter().collect(),
            Err(stored) => return reply(stored.status, &stored.body),
        },
        Some(("order", order)) => book.by_order(order).map(show).collect(),
        _ => return problem(400, "key_or_order_missing"),
    };
    reply(200, &json!({ "payments": payments }))
}

fn ledger(shared: &Shared) -> Response<Full<Bytes>> {
    let book = lock(&shared.book);
    let payments: Vec<&Payment> = book.payments().collect();
    reply(200, &json!({ "payments": payments }))
}

fn set_faults(shared: &Shared, body: &[u8]) -> Response<Full<Bytes>> {
    let change: Change = match serde_json::from_slice(body) {
        Ok(change) => change,
        Err(_) => return problem(400, "parameters_invalid"),
    };
    let mut faults = lock(&shared.faults);
    *faults = change.over(*faults);
    reply(200, &json!(*faults))
}

fn problem(status: u16, error: &str) -> Response<Full<Bytes>> {
    reply(status, &json!({ "error": error }))
}

fn reply(status: u16, body: &Value) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("every status used here is a valid one")
}
