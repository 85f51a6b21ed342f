//! Bad requests, a line each: what is sent, which 4xx problem comes back, which field it names.
//! After all of them the digest of every ledger and of the catalogue is what it was before.
//!
//! Asking for a seat that is taken is not in the table: it is a good request that came too late,
//! and when its home is another shard than the seat's, home opens the order, closes it and
//! remembers the refusal. For those: no seat and no allowance has changed.

#[path = "../support/mod.rs"]
mod support;

mod event;
mod order;
mod queue;
mod reserve;
mod sale;
mod shape;
mod token;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use support::Door;
use support::door::{example, request, with_json};

const NIL: &str = "00000000-0000-0000-0000-000000000000";
const ABSENT_ORDER: &str = "00000000-0000-8001-8000-00000000abcd";

/// Expected status, code and field ("" for none).
struct Case(&'static str, Request<Body>, u16, &'static str, &'static str);

/// Everything that may be named in a bad request.
struct World {
    event: String,
    queued: String,
    order: String,
    paid: String,
    cancelled: String,
    ticket: String,
    ann: String,
    bob: String,
    olga: String,
    otto: String,
    gus: String,
    queue_token: String,
}

async fn world(door: &Door) -> World {
    let event = door.event(|_| ()).await;
    let queued = door
        .event(|event| event["queue"] = json!({"admit_per_minute": 0}))
        .await;
    let (ann, bob) = (
        door.token("ann", "buyer").await,
        door.token("bob", "buyer").await,
    );
    let reserve = |seat: &str| json!({"event_id": event, "seat_ids": [seat]});
    let path = "/api/v1/seats/reserve";
    let id = |value: &Value| value["order_id"].as_str().expect("an id").to_owned();
    let order = id(&door
        .keyed(path, &ann, "taken", reserve("A-1-2"))
        .await
        .expect(201));
    let paid = id(&door.post(path, &ann, reserve("A-1-3")).await.expect(201));
    let pay = format!("/api/v1/orders/{paid}/pay");
    let answer = door
        .post(&pay, &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
    let cancelled = id(&door.post(path, &ann, reserve("A-1-4")).await.expect(201));
    let hold = format!("/api/v1/orders/{cancelled}/hold");
    door.send(
        request("DELETE", &hold, &ann)
            .body(Body::empty())
            .expect("a request"),
    )
    .await
    .expect(200);
    let join = format!("/api/v1/queue/join?event_id={queued}");
    let joined = door.post(&join, &ann, Value::Null).await.expect(200);
    World {
        ticket: answer["ticket_ids"][0].as_str().expect("an id").to_owned(),
        queue_token: joined["queue_token"].as_str().expect("a token").to_owned(),
        olga: door.token("olga", "organizer").await,
        otto: door.token("otto", "organizer").await,
        gus: door.token("gus", "gate").await,
        event,
        queued,
        order,
        paid,
        cancelled,
        ann,
        bob,
    }
}

#[tokio::test]
async fn every_bad_request_is_refused_by_name_and_changes_nothing() {
    let door = Door::open().await;
    let world = world(&door).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    door.backend.freeze();
    let mut before = door.backend.copy();
    let cases: Vec<Case> = [
        event::cases(&world),
        sale::cases(&world),
        reserve::cases(&world),
        order::cases(&world),
        queue::cases(&world),
        token::cases(&world),
        shape::cases(&world),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for Case(what, request, status, error, field) in cases {
        let line = format!("{what}: {} {}", request.method(), request.uri());
        let answer = door.send(request).await;
        let body = answer.json();
        if !door.backend.unchanged_since(&mut before) {
            wrong.push(format!("{line}\n    left a trace"));
            break;
        }
        let named = body["field"].as_str().unwrap_or_default();
        let as_expected =
            answer.status.as_u16() == status && answer.error() == error && named == field;
        let whole = answer.header("content-type") == "application/problem+json"
            && body["status"] == status
            && body["type"]
                .as_str()
                .is_some_and(|uri| uri.starts_with("https://usher.invalid/problems/"))
            && body["instance"] == answer.header("x-request-id");
        if !as_expected || !whole {
            wrong.push(format!(
                "{line}\n    wanted {status} {error} {field:?}\n    got    {body}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Not bad, only too late: the refusal is remembered, and nothing else has changed.
#[tokio::test]
async fn a_seat_that_is_not_free_costs_no_seat_and_no_allowance() {
    let door = Door::open().await;
    let world = world(&door).await;
    let event = format!("/api/v1/events/{}", world.event);
    // The world's own cancelled order is released meanwhile.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let before = door.get(&event, "").await.expect(200);
    // Homes of many people lie in all shards, the seats' own included.
    for number in 0..12 {
        let buyer = door.token(&format!("late {number}"), "buyer").await;
        for seat in ["A-1-1", "A-1-2", "A-1-3"] {
            let want = json!({"event_id": world.event, "seat_ids": [seat, "C-1-1"]});
            door.post("/api/v1/seats/reserve", &buyer, want)
                .await
                .refused(409, "SEAT_TAKEN");
        }
        let all = api::auth::person(api::config::OWN_ISSUER, &format!("late {number}"));
        let event_id = api::text::parse_event(&world.event).expect("an id");
        let taken: u16 = (1..=support::door::SHARDS)
            .map(|shard| {
                door.backend.look(ledger::ShardId(shard), |ledger| {
                    ledger.buyer(event_id, all).places
                })
            })
            .sum();
        assert_eq!(taken, 0);
    }
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(door.get(&event, "").await.expect(200), before);
}
