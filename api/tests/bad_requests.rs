//! Bad requests, a line each: what is sent, which 4xx problem comes back, which field it names.
//! After all of them the digest of every ledger and of the catalogue is what it was before.
//!
//! Asking for a seat that is taken is not in the table: it is a good request that came too late,
//! and when its home is another shard than the seat's, home opens the order, closes it and
//! remembers the refusal. For those: no seat and no allowance has changed.

mod support;

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
        event_cases(&world),
        sale_cases(&world),
        reserve_cases(&world),
        order_cases(&world),
        queue_cases(&world),
        token_cases(&world),
        shape_cases(&world),
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

fn event_cases(world: &World) -> Vec<Case> {
    let post = |change: &dyn Fn(&mut Value)| {
        let mut event = example();
        change(&mut event);
        with_json("POST", "/api/v1/events", &world.olga, &event)
    };
    let set = |path: &str, value: Value| {
        post(&|event| *event.pointer_mut(path).expect("the example has it") = value.clone())
    };
    let add = |parent: &str, name: &str, value: Value| {
        post(&|event| {
            event.pointer_mut(parent).expect("the example has it")[name] = value.clone();
        })
    };
    let remove = |name: &str| {
        post(&|event| {
            event.as_object_mut().expect("a map").remove(name);
        })
    };
    let (body, bad) = ("BODY_INVALID", "FIELD_INVALID");
    vec![
        Case(
            "no token",
            with_json("POST", "/api/v1/events", "", &example()),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "a buyer",
            with_json("POST", "/api/v1/events", &world.ann, &example()),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "a gate",
            with_json("POST", "/api/v1/events", &world.gus, &example()),
            403,
            "FORBIDDEN",
            "",
        ),
        Case("no name", remove("name"), 400, body, "name"),
        Case("no venue", remove("venue"), 400, body, "venue"),
        Case("no opening", remove("opens_at"), 400, body, "opens_at"),
        Case("no currency", remove("currency"), 400, body, "currency"),
        Case(
            "no order limit",
            remove("max_per_order"),
            400,
            body,
            "max_per_order",
        ),
        Case(
            "no buyer limit",
            remove("max_per_buyer"),
            400,
            body,
            "max_per_buyer",
        ),
        Case("no sections", remove("sections"), 400, body, "sections"),
        Case(
            "unknown field",
            add("", "colour", json!(1)),
            400,
            body,
            "colour",
        ),
        Case(
            "unknown field of a section",
            add("/sections/1", "x", json!(1)),
            400,
            body,
            "sections[1].x",
        ),
        Case("name a number", set("/name", json!(5)), 400, body, "name"),
        Case("name empty", set("/name", json!("")), 422, bad, "name"),
        Case("name blank", set("/name", json!("   ")), 422, bad, "name"),
        Case(
            "name long",
            set("/name", json!("x".repeat(201))),
            422,
            bad,
            "name",
        ),
        Case(
            "name with a line break",
            set("/name", json!("a\nb")),
            422,
            bad,
            "name",
        ),
        Case("name null", set("/name", Value::Null), 400, body, "name"),
        Case("venue empty", set("/venue", json!("")), 422, bad, "venue"),
        Case("venue a list", set("/venue", json!([])), 400, body, "venue"),
        Case(
            "opening no time",
            set("/opens_at", json!("tomorrow")),
            422,
            bad,
            "opens_at",
        ),
        Case(
            "opening without zone",
            set("/opens_at", json!("2027-06-01T10:00:00")),
            422,
            bad,
            "opens_at",
        ),
        Case(
            "opening in 1960",
            set("/opens_at", json!("1960-01-01T00:00:00Z")),
            422,
            bad,
            "opens_at",
        ),
        Case(
            "opening a number",
            set("/opens_at", json!(5)),
            400,
            body,
            "opens_at",
        ),
        Case(
            "currency small",
            set("/currency", json!("eur")),
            422,
            bad,
            "currency",
        ),
        Case(
            "currency long",
            set("/currency", json!("EURO")),
            422,
            bad,
            "currency",
        ),
        Case(
            "currency foreign letters",
            set("/currency", json!("ÄÖ")),
            422,
            bad,
            "currency",
        ),
        Case(
            "hold 0",
            set("/hold_seconds", json!(0)),
            422,
            bad,
            "hold_seconds",
        ),
        Case(
            "hold 86401",
            set("/hold_seconds", json!(86_401)),
            422,
            bad,
            "hold_seconds",
        ),
        Case(
            "hold negative",
            set("/hold_seconds", json!(-1)),
            400,
            body,
            "hold_seconds",
        ),
        Case(
            "hold a fraction",
            set("/hold_seconds", json!(1.5)),
            400,
            body,
            "hold_seconds",
        ),
        Case(
            "order limit 0",
            set("/max_per_order", json!(0)),
            422,
            bad,
            "max_per_order",
        ),
        Case(
            "order limit 65",
            set("/max_per_order", json!(65)),
            422,
            bad,
            "max_per_order",
        ),
        Case(
            "order limit huge",
            set("/max_per_order", json!(1e30)),
            400,
            body,
            "max_per_order",
        ),
        Case(
            "buyer limit 0",
            set("/max_per_buyer", json!(0)),
            422,
            bad,
            "max_per_buyer",
        ),
        Case(
            "buyer limit 65536",
            set("/max_per_buyer", json!(65_536)),
            400,
            body,
            "max_per_buyer",
        ),
        Case(
            "queue without rate",
            set("/queue", json!({})),
            400,
            body,
            "queue.admit_per_minute",
        ),
        Case(
            "queue a string",
            set("/queue", json!("yes")),
            400,
            body,
            "queue",
        ),
        Case(
            "rate negative",
            set("/queue", json!({"admit_per_minute": -5})),
            400,
            body,
            "queue.admit_per_minute",
        ),
        Case(
            "rate too high",
            set("/queue", json!({"admit_per_minute": 10_000_001})),
            422,
            bad,
            "queue.admit_per_minute",
        ),
        Case(
            "draw unknown",
            set("/queue", json!({"admit_per_minute": 5, "draw": "fifo"})),
            422,
            bad,
            "queue.draw",
        ),
        Case(
            "beacon long",
            set(
                "/queue",
                json!({"admit_per_minute": 5, "beacon": "b".repeat(1_025)}),
            ),
            422,
            bad,
            "queue.beacon",
        ),
        Case(
            "queue unknown field",
            set("/queue", json!({"admit_per_minute": 5, "vip": 1})),
            400,
            body,
            "queue.vip",
        ),
        Case(
            "sections empty",
            set("/sections", json!([])),
            422,
            bad,
            "sections",
        ),
        Case(
            "sections a map",
            set("/sections", json!({})),
            400,
            body,
            "sections",
        ),
        Case(
            "2001 sections",
            set(
                "/sections",
                json!(vec![json!({"name": "A", "capacity": 1, "price": 1}); 2_001]),
            ),
            422,
            bad,
            "sections",
        ),
        Case(
            "section name twice",
            set("/sections/1/name", json!("A")),
            422,
            bad,
            "sections[1].name",
        ),
        Case(
            "section name empty",
            set("/sections/0/name", json!("")),
            422,
            bad,
            "sections[0].name",
        ),
        Case(
            "section name with a slash",
            set("/sections/0/name", json!("a/b")),
            422,
            bad,
            "sections[0].name",
        ),
        Case(
            "section name long",
            set("/sections/0/name", json!("x".repeat(65))),
            422,
            bad,
            "sections[0].name",
        ),
        Case(
            "rows 0",
            set("/sections/0/rows", json!(0)),
            422,
            bad,
            "sections[0].rows",
        ),
        Case(
            "rows negative",
            set("/sections/0/rows", json!(-1)),
            400,
            body,
            "sections[0].rows",
        ),
        Case(
            "rows 65536",
            set("/sections/0/rows", json!(65_536)),
            400,
            body,
            "sections[0].rows",
        ),
        Case(
            "rows a string",
            set("/sections/0/rows", json!("10")),
            400,
            body,
            "sections[0].rows",
        ),
        Case(
            "seats per row 0",
            set("/sections/0/seats_per_row", json!(0)),
            422,
            bad,
            "sections[0].seats_per_row",
        ),
        Case(
            "too many seats",
            set("/sections/0/rows", json!(60_000)),
            422,
            bad,
            "sections[0].rows",
        ),
        Case(
            "rows alone",
            set("/sections/0/seats_per_row", Value::Null),
            422,
            bad,
            "sections[0].seats_per_row",
        ),
        Case(
            "seats per row alone",
            set("/sections/0/rows", Value::Null),
            422,
            bad,
            "sections[0].rows",
        ),
        Case(
            "both layouts",
            add("/sections/0", "capacity", json!(5)),
            422,
            bad,
            "sections[0].capacity",
        ),
        Case(
            "no layout",
            set("/sections/3/capacity", Value::Null),
            422,
            bad,
            "sections[3].capacity",
        ),
        Case(
            "capacity 0",
            set("/sections/3/capacity", json!(0)),
            422,
            bad,
            "sections[3].capacity",
        ),
        Case(
            "capacity 1000001",
            set("/sections/3/capacity", json!(1_000_001)),
            422,
            bad,
            "sections[3].capacity",
        ),
        Case(
            "price negative",
            set("/sections/0/price", json!(-1)),
            400,
            body,
            "sections[0].price",
        ),
        Case(
            "price a fraction",
            set("/sections/0/price", json!(9.99)),
            400,
            body,
            "sections[0].price",
        ),
        Case(
            "price absurd",
            set("/sections/0/price", json!(1_000_000_000_001u64)),
            422,
            bad,
            "sections[0].price",
        ),
        Case(
            "tier 65536",
            set("/sections/0/tier", json!(65_536)),
            400,
            body,
            "sections[0].tier",
        ),
        Case(
            "blocked outside",
            set("/sections/0/blocked", json!(["A-11-1"])),
            422,
            bad,
            "sections[0].blocked[0]",
        ),
        Case(
            "blocked elsewhere",
            set("/sections/0/blocked", json!(["C-1-1"])),
            422,
            bad,
            "sections[0].blocked[0]",
        ),
        Case(
            "blocked twice",
            set("/sections/0/blocked", json!(["A-1-1", "A-1-1"])),
            422,
            bad,
            "sections[0].blocked",
        ),
        Case(
            "accessible misspelt",
            set("/sections/0/accessible", json!(["A-01-1"])),
            422,
            bad,
            "sections[0].accessible[0]",
        ),
        Case(
            "standing blocked",
            add("/sections/3", "blocked", json!(["Floor-1-1"])),
            422,
            bad,
            "sections[3].blocked",
        ),
        Case(
            "standing accessible",
            add("/sections/3", "accessible", json!(["Floor-1-1"])),
            422,
            bad,
            "sections[3].accessible",
        ),
    ]
}

fn sale_cases(world: &World) -> Vec<Case> {
    let path = format!("/api/v1/events/{}/sale", world.event);
    let patch = |who: &str, body: Value| with_json("PATCH", &path, who, &body);
    let (body, bad) = ("BODY_INVALID", "FIELD_INVALID");
    let elsewhere = |id: &str| {
        with_json(
            "PATCH",
            &format!("/api/v1/events/{id}/sale"),
            &world.olga,
            &json!({"action": "close"}),
        )
    };
    vec![
        Case(
            "no token",
            patch("", json!({"action": "close"})),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "a buyer",
            patch(&world.ann, json!({"action": "close"})),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "another organizer",
            patch(&world.otto, json!({"action": "close"})),
            403,
            "FORBIDDEN",
            "",
        ),
        Case("nothing", patch(&world.olga, json!({})), 422, bad, "action"),
        Case(
            "unknown action",
            patch(&world.olga, json!({"action": "explode"})),
            422,
            bad,
            "action",
        ),
        Case(
            "action a number",
            patch(&world.olga, json!({"action": 1})),
            400,
            body,
            "action",
        ),
        Case(
            "unknown field",
            patch(&world.olga, json!({"price": 1})),
            400,
            body,
            "price",
        ),
        Case(
            "rate without a queue",
            patch(&world.olga, json!({"admit_per_minute": 1})),
            409,
            "QUEUE_NONE",
            "admit_per_minute",
        ),
        Case(
            "rate negative",
            patch(&world.olga, json!({"admit_per_minute": -1})),
            400,
            body,
            "admit_per_minute",
        ),
        Case(
            "rate too high",
            patch(&world.olga, json!({"admit_per_minute": 4_000_000_000u32})),
            422,
            bad,
            "admit_per_minute",
        ),
        Case("unknown event", elsewhere(NIL), 404, "EVENT_UNKNOWN", ""),
        Case("no id", elsewhere("x"), 404, "EVENT_UNKNOWN", ""),
        Case(
            "wrong method",
            with_json("POST", &path, &world.olga, &json!({})),
            405,
            "METHOD_NOT_ALLOWED",
            "",
        ),
    ]
}

fn reserve_cases(world: &World) -> Vec<Case> {
    let path = "/api/v1/seats/reserve";
    let event = &world.event;
    let ask = |body: Value| with_json("POST", path, &world.ann, &body);
    let with = |name: &str, value: Value| {
        let mut body = json!({"event_id": event});
        body[name] = value;
        ask(body)
    };
    let best = |value: Value| with("best_available", value);
    let queued = |token: Value| {
        ask(json!({"event_id": world.queued, "seat_ids": ["A-2-1"], "queue_token": token}))
    };
    let keyed = |key: &str, body: Value| {
        let mut request = ask(body);
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().expect("a header"));
        request
    };
    let mut forged = world.queue_token.clone();
    forged.replace_range(20..21, if &forged[20..21] == "A" { "B" } else { "A" });
    let stolen = with_json(
        "POST",
        path,
        &world.bob,
        &json!({
        "event_id": world.queued, "seat_ids": ["A-2-1"], "queue_token": world.queue_token}),
    );
    let seats = |ids: Value| with("seat_ids", ids);
    let row = |count: u32| {
        json!(
            (1..=count)
                .map(|number| format!("A-3-{number}"))
                .collect::<Vec<_>>()
        )
    };
    let floor = |count: Value| {
        with(
            "general_admission",
            json!([{"section": "Floor", "count": count}]),
        )
    };
    let (body, bad) = ("BODY_INVALID", "FIELD_INVALID");
    vec![
        Case(
            "no token",
            with_json("POST", path, "", &json!({"event_id": event})),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "an organizer",
            with_json("POST", path, &world.olga, &json!({"event_id": event})),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "no body",
            with_json("POST", path, &world.ann, &Value::Null),
            400,
            body,
            "",
        ),
        Case(
            "no event",
            ask(json!({"seat_ids": ["A-1-5"]})),
            400,
            body,
            "event_id",
        ),
        Case(
            "unknown event",
            ask(json!({"event_id": NIL, "seat_ids": ["A-1-5"]})),
            404,
            "EVENT_UNKNOWN",
            "",
        ),
        Case(
            "event no id",
            ask(json!({"event_id": "gala", "seat_ids": ["A-1-5"]})),
            404,
            "EVENT_UNKNOWN",
            "event_id",
        ),
        Case(
            "event a number",
            ask(json!({"event_id": 1, "seat_ids": ["A-1-5"]})),
            400,
            body,
            "event_id",
        ),
        Case(
            "unknown field",
            with("seats", json!([])),
            400,
            body,
            "seats",
        ),
        Case(
            "no seats",
            ask(json!({"event_id": event})),
            422,
            bad,
            "seat_ids",
        ),
        Case("empty seats", seats(json!([])), 422, bad, "seat_ids"),
        Case(
            "seats a string",
            seats(json!("A-1-5")),
            400,
            body,
            "seat_ids",
        ),
        Case(
            "seat a number",
            seats(json!(["A-1-5", 7])),
            400,
            body,
            "seat_ids[1]",
        ),
        Case("seat null", seats(json!([null])), 400, body, "seat_ids[0]"),
        Case(
            "unknown section",
            seats(json!(["Z-1-1"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "row outside",
            seats(json!(["A-1-5", "A-11-1"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[1]",
        ),
        Case(
            "number outside",
            seats(json!(["A-1-21"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "row 0",
            seats(json!(["A-0-1"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "leading zero",
            seats(json!(["A-01-1"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "negative number",
            seats(json!(["A-1--5"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "empty id",
            seats(json!([""])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "huge id",
            seats(json!(["A-1-99999999999999999999"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "seat of a standing section",
            seats(json!(["Floor-1-1"])),
            422,
            "SEAT_UNKNOWN",
            "seat_ids[0]",
        ),
        Case(
            "seat twice",
            seats(json!(["A-1-5", "A-1-5"])),
            422,
            bad,
            "seat_ids[1]",
        ),
        Case(
            "more than an order may",
            seats(row(9)),
            422,
            "TOO_MANY_SEATS",
            "",
        ),
        Case(
            "more than a section may",
            seats(row(17)),
            422,
            "TOO_MANY_SEATS",
            "seat_ids",
        ),
        Case(
            "count 0",
            floor(json!(0)),
            422,
            bad,
            "general_admission[0].count",
        ),
        Case(
            "count 17",
            floor(json!(17)),
            422,
            bad,
            "general_admission[0].count",
        ),
        Case(
            "count 300",
            floor(json!(300)),
            400,
            body,
            "general_admission[0].count",
        ),
        Case(
            "count negative",
            floor(json!(-1)),
            400,
            body,
            "general_admission[0].count",
        ),
        Case(
            "count a string",
            floor(json!("2")),
            400,
            body,
            "general_admission[0].count",
        ),
        Case(
            "count above the order's",
            floor(json!(9)),
            422,
            "TOO_MANY_SEATS",
            "",
        ),
        Case(
            "standing unknown",
            with("general_admission", json!([{"section": "Z", "count": 1}])),
            422,
            "SECTION_UNKNOWN",
            "general_admission[0].section",
        ),
        Case(
            "standing is seated",
            with("general_admission", json!([{"section": "A", "count": 1}])),
            422,
            bad,
            "general_admission[0].section",
        ),
        Case(
            "standing twice",
            with(
                "general_admission",
                json!([{"section": "Floor", "count": 1}, {"section": "Floor", "count": 1}]),
            ),
            422,
            bad,
            "general_admission[1].section",
        ),
        Case(
            "standing no count",
            with("general_admission", json!([{"section": "Floor"}])),
            400,
            body,
            "general_admission[0].count",
        ),
        Case(
            "best and named",
            ask(json!({"event_id": event, "seat_ids": ["A-1-5"], "best_available": {"count": 1}})),
            422,
            bad,
            "best_available",
        ),
        Case(
            "best 0",
            best(json!({"count": 0})),
            422,
            bad,
            "best_available.count",
        ),
        Case(
            "best 17",
            best(json!({"count": 17})),
            422,
            bad,
            "best_available.count",
        ),
        Case(
            "best 256",
            best(json!({"count": 256})),
            400,
            body,
            "best_available.count",
        ),
        Case(
            "best without count",
            best(json!({})),
            400,
            body,
            "best_available.count",
        ),
        Case(
            "best above the order's",
            best(json!({"count": 9})),
            422,
            "TOO_MANY_SEATS",
            "",
        ),
        Case(
            "best in no section",
            best(json!({"count": 1, "sections": ["A", "Z"]})),
            422,
            "SECTION_UNKNOWN",
            "best_available.sections[1]",
        ),
        Case(
            "best in a standing section",
            best(json!({"count": 1, "sections": ["Floor"]})),
            422,
            bad,
            "best_available.sections[0]",
        ),
        Case(
            "best too cheap",
            best(json!({"count": 1, "max_price": 1})),
            409,
            "NOT_ENOUGH_SEATS",
            "",
        ),
        Case(
            "best price negative",
            best(json!({"count": 1, "max_price": -1})),
            400,
            body,
            "best_available.max_price",
        ),
        Case(
            "best accessible a number",
            best(json!({"count": 1, "accessible": 1})),
            400,
            body,
            "best_available.accessible",
        ),
        Case(
            "best unknown field",
            best(json!({"count": 1, "row": 1})),
            400,
            body,
            "best_available.row",
        ),
        Case(
            "no queue token",
            queued(Value::Null),
            403,
            "PASS_REQUIRED",
            "queue_token",
        ),
        Case(
            "queue token rubbish",
            queued(json!("rubbish")),
            403,
            "QUEUE_TOKEN_INVALID",
            "queue_token",
        ),
        Case(
            "queue token huge",
            queued(json!("A".repeat(5_000))),
            403,
            "QUEUE_TOKEN_INVALID",
            "queue_token",
        ),
        Case(
            "queue token forged",
            queued(json!(forged)),
            403,
            "QUEUE_TOKEN_INVALID",
            "queue_token",
        ),
        Case(
            "queue token a number",
            queued(json!(5)),
            400,
            body,
            "queue_token",
        ),
        Case(
            "queue token of somebody else",
            stolen,
            403,
            "QUEUE_TOKEN_INVALID",
            "queue_token",
        ),
        Case(
            "not admitted yet",
            queued(json!(world.queue_token)),
            403,
            "NOT_ADMITTED_YET",
            "",
        ),
        Case(
            "key with other seats",
            keyed("taken", json!({"event_id": event, "seat_ids": ["A-1-5"]})),
            422,
            "IDEMPOTENCY_KEY_REUSED",
            "",
        ),
        Case(
            "key with more seats",
            keyed(
                "taken",
                json!({"event_id": event, "seat_ids": ["A-1-2", "A-1-5"]}),
            ),
            422,
            "IDEMPOTENCY_KEY_REUSED",
            "",
        ),
        Case(
            "key empty",
            keyed("", json!({"event_id": event, "seat_ids": ["A-1-5"]})),
            400,
            "IDEMPOTENCY_KEY_INVALID",
            "",
        ),
        Case(
            "key long",
            keyed(
                &"k".repeat(256),
                json!({"event_id": event, "seat_ids": ["A-1-5"]}),
            ),
            400,
            "IDEMPOTENCY_KEY_INVALID",
            "",
        ),
    ]
}

fn order_cases(world: &World) -> Vec<Case> {
    let empty = |method: &str, path: String, who: &str| {
        request(method, &path, who)
            .body(Body::empty())
            .expect("a request")
    };
    let of = |id: &str, rest: &str| format!("/api/v1/orders/{id}{rest}");
    let pay = |id: &str, who: &str, body: Value| with_json("POST", &of(id, "/pay"), who, &body);
    let ok = || json!({"payment_method": "pm_ok"});
    let (ann, bob, olga) = (&world.ann, &world.bob, &world.olga);
    let (order, body, bad) = (&world.order, "BODY_INVALID", "FIELD_INVALID");
    let far = "00000000-0000-8fff-8000-000000000000";
    vec![
        Case(
            "no token",
            empty("GET", of(order, ""), ""),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "somebody else's",
            empty("GET", of(order, ""), bob),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "another organizer's",
            empty("GET", of(order, ""), &world.otto),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "the gate",
            empty("GET", of(order, ""), &world.gus),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "unknown",
            empty("GET", of(ABSENT_ORDER, ""), ann),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "no shard of ours",
            empty("GET", of(far, ""), ann),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "shard 0",
            empty("GET", of(NIL, ""), ann),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "no id",
            empty("GET", of("1", ""), ann),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "id with percent signs",
            empty("GET", of("%00%ff", ""), ann),
            404,
            "NOT_FOUND",
            "",
        ),
        Case(
            "consistency unknown",
            empty("GET", of(order, "?consistency=strong"), ann),
            400,
            "QUERY_INVALID",
            "consistency",
        ),
        Case(
            "query unknown",
            empty("GET", of(order, "?verbose=1"), ann),
            400,
            "QUERY_INVALID",
            "verbose",
        ),
        Case(
            "pay without token",
            pay(order, "", ok()),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "pay as organizer",
            pay(order, olga, ok()),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "pay somebody else's",
            pay(order, bob, ok()),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "pay unknown",
            pay(ABSENT_ORDER, ann, ok()),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "pay a cancelled one",
            pay(&world.cancelled, ann, ok()),
            409,
            "ORDER_OVER",
            "",
        ),
        Case(
            "pay without method",
            pay(order, ann, json!({})),
            400,
            body,
            "payment_method",
        ),
        Case(
            "pay method empty",
            pay(order, ann, json!({"payment_method": ""})),
            422,
            bad,
            "payment_method",
        ),
        Case(
            "pay method long",
            pay(order, ann, json!({"payment_method": "x".repeat(129)})),
            422,
            bad,
            "payment_method",
        ),
        Case(
            "pay method control",
            pay(order, ann, json!({"payment_method": "a\u{7}b"})),
            422,
            bad,
            "payment_method",
        ),
        Case(
            "pay method a number",
            pay(order, ann, json!({"payment_method": 1})),
            400,
            body,
            "payment_method",
        ),
        Case(
            "pay with an amount",
            pay(order, ann, json!({"payment_method": "pm_ok", "amount": 1})),
            400,
            body,
            "amount",
        ),
        Case(
            "give back somebody else's",
            empty("DELETE", of(order, "/hold"), bob),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "give back without token",
            empty("DELETE", of(order, "/hold"), ""),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "give back as organizer",
            empty("DELETE", of(order, "/hold"), olga),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "give back a paid one",
            empty("DELETE", of(&world.paid, "/hold"), ann),
            409,
            "ORDER_IN_PAYMENT",
            "",
        ),
        Case(
            "give back unknown",
            empty("DELETE", of(ABSENT_ORDER, "/hold"), ann),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "refund as buyer",
            empty("POST", of(&world.paid, "/refund"), ann),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "refund another's event",
            empty("POST", of(&world.paid, "/refund"), &world.otto),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "refund unpaid",
            empty("POST", of(order, "/refund"), olga),
            409,
            "NOT_PAID",
            "",
        ),
        Case(
            "refund cancelled",
            empty("POST", of(&world.cancelled, "/refund"), olga),
            409,
            "ORDER_OVER",
            "",
        ),
        Case(
            "refund unknown",
            empty("POST", of(ABSENT_ORDER, "/refund"), olga),
            404,
            "ORDER_UNKNOWN",
            "",
        ),
        Case(
            "ticket without token",
            empty("GET", format!("/api/v1/tickets/{}", world.ticket), ""),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "ticket of somebody else",
            empty("GET", format!("/api/v1/tickets/{}", world.ticket), bob),
            404,
            "TICKET_UNKNOWN",
            "",
        ),
        Case(
            "code of somebody else",
            empty(
                "GET",
                format!("/api/v1/tickets/{}/qr.svg", world.ticket),
                bob,
            ),
            404,
            "TICKET_UNKNOWN",
            "",
        ),
        Case(
            "ticket unknown",
            empty("GET", format!("/api/v1/tickets/{ABSENT_ORDER}"), ann),
            404,
            "TICKET_UNKNOWN",
            "",
        ),
        Case(
            "ticket no id",
            empty("GET", "/api/v1/tickets/x".to_owned(), ann),
            404,
            "TICKET_UNKNOWN",
            "",
        ),
        Case(
            "ticket of no shard",
            empty("GET", format!("/api/v1/tickets/{far}"), ann),
            404,
            "TICKET_UNKNOWN",
            "",
        ),
    ]
}

fn queue_cases(world: &World) -> Vec<Case> {
    let join = |query: &str, who: &str| {
        let path = format!("/api/v1/queue/join{query}");
        request("POST", &path, who)
            .body(Body::empty())
            .expect("a request")
    };
    let get = |path: &str, token: &str| {
        request("GET", path, token)
            .body(Body::empty())
            .expect("a request")
    };
    let ann = &world.ann;
    let here = format!("?event_id={}", world.queued);
    let mut forged = world.queue_token.clone();
    forged.replace_range(50..51, if &forged[50..51] == "A" { "B" } else { "A" });
    let (status, proof) = ("/api/v1/queue/status", "/api/v1/queue/proof");
    vec![
        Case(
            "join without token",
            join(&here, ""),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "join as organizer",
            join(&here, &world.olga),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "join as gate",
            join(&here, &world.gus),
            403,
            "FORBIDDEN",
            "",
        ),
        Case(
            "join nothing",
            join("", ann),
            400,
            "QUERY_INVALID",
            "event_id",
        ),
        Case(
            "join unknown",
            join(&format!("?event_id={NIL}"), ann),
            404,
            "EVENT_UNKNOWN",
            "",
        ),
        Case(
            "join no id",
            join("?event_id=x", ann),
            404,
            "EVENT_UNKNOWN",
            "event_id",
        ),
        Case(
            "join twice in one query",
            join(&format!("{here}&event_id=x"), ann),
            400,
            "QUERY_INVALID",
            "event_id",
        ),
        Case(
            "join with more",
            join(&format!("{here}&vip=1"), ann),
            400,
            "QUERY_INVALID",
            "vip",
        ),
        Case(
            "join where no room is",
            join(&format!("?event_id={}", world.event), ann),
            409,
            "QUEUE_NONE",
            "",
        ),
        Case(
            "status without token",
            get(status, ""),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "status with an identity",
            get(status, ann),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "status forged",
            get(status, &forged),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "status cut",
            get(status, &world.queue_token[..40]),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "proof without token",
            get(proof, ""),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "proof forged",
            get(proof, &forged),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "identity from a queue token",
            get("/api/v1/orders/x", &world.queue_token),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "document of no event",
            get(&format!("/api/v1/events/{NIL}/queue"), ""),
            404,
            "EVENT_UNKNOWN",
            "",
        ),
        Case(
            "document without a room",
            get(&format!("/api/v1/events/{}/queue", world.event), ""),
            409,
            "QUEUE_NONE",
            "",
        ),
        Case(
            "event unknown",
            get(&format!("/api/v1/events/{NIL}"), ""),
            404,
            "EVENT_UNKNOWN",
            "",
        ),
        Case(
            "event no id",
            get("/api/v1/events/gala", ""),
            404,
            "EVENT_UNKNOWN",
            "",
        ),
        Case(
            "seats of no event",
            get(&format!("/api/v1/events/{NIL}/seats"), ""),
            404,
            "EVENT_UNKNOWN",
            "",
        ),
        Case(
            "seats of no section",
            get(
                &format!("/api/v1/events/{}/seats?section=Z", world.event),
                "",
            ),
            422,
            "SECTION_UNKNOWN",
            "section",
        ),
        Case(
            "seats consistency",
            get(
                &format!("/api/v1/events/{}/seats?consistency=", world.event),
                "",
            ),
            400,
            "QUERY_INVALID",
            "consistency",
        ),
        Case(
            "seats query unknown",
            get(&format!("/api/v1/events/{}/seats?row=1", world.event), ""),
            400,
            "QUERY_INVALID",
            "row",
        ),
    ]
}

fn token_cases(world: &World) -> Vec<Case> {
    let dev = |body: Value| with_json("POST", "/dev/token", "", &body);
    let show = |authorization: &str| {
        let path = format!("/api/v1/orders/{}", world.order);
        let request = Request::builder()
            .method("GET")
            .uri(path)
            .header("authorization", authorization);
        request.body(Body::empty()).expect("a request")
    };
    let parts: Vec<&str> = world.ann.split('.').collect();
    let other: Vec<&str> = world.olga.split('.').collect();
    let none = "eyJhbGciOiJub25lIn0";
    let hook = |signature: &str, body: &str| {
        let request =
            request("POST", "/webhooks/payments/sandbox", "").header("usher-signature", signature);
        request
            .body(Body::from(body.to_owned()))
            .expect("a request")
    };
    let zeros = "0".repeat(64);
    vec![
        Case(
            "token without subject",
            dev(json!({"role": "buyer"})),
            400,
            "BODY_INVALID",
            "subject",
        ),
        Case(
            "token subject empty",
            dev(json!({"subject": "", "role": "buyer"})),
            422,
            "FIELD_INVALID",
            "subject",
        ),
        Case(
            "token subject long",
            dev(json!({"subject": "x".repeat(201), "role": "buyer"})),
            422,
            "FIELD_INVALID",
            "subject",
        ),
        Case(
            "token role unknown",
            dev(json!({"subject": "a", "role": "king"})),
            422,
            "FIELD_INVALID",
            "role",
        ),
        Case(
            "token unknown field",
            dev(json!({"subject": "a", "role": "buyer", "exp": 1})),
            400,
            "BODY_INVALID",
            "exp",
        ),
        Case("no scheme", show(&world.ann), 401, "UNAUTHENTICATED", ""),
        Case("basic", show("Basic YTpi"), 401, "UNAUTHENTICATED", ""),
        Case("empty bearer", show("Bearer "), 401, "UNAUTHENTICATED", ""),
        Case("rubbish", show("Bearer a.b.c"), 401, "UNAUTHENTICATED", ""),
        Case(
            "no signature",
            show(&format!("Bearer {}.{}.", parts[0], parts[1])),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "alg none",
            show(&format!("Bearer {none}.{}.", parts[1])),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "another's signature",
            show(&format!("Bearer {}.{}.{}", parts[0], parts[1], other[2])),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "huge token",
            show(&format!("Bearer {}", "a".repeat(6_000))),
            401,
            "UNAUTHENTICATED",
            "",
        ),
        Case(
            "webhook unsigned",
            hook("", "{}"),
            400,
            "WEBHOOK_INVALID",
            "",
        ),
        Case(
            "webhook forged",
            hook(&format!("t=1800000000,v1={zeros}"), "{}"),
            400,
            "WEBHOOK_INVALID",
            "",
        ),
        Case(
            "webhook without time",
            hook(&format!("v1={zeros}"), "{}"),
            400,
            "WEBHOOK_INVALID",
            "",
        ),
        Case(
            "webhook of no gateway",
            with_json("POST", "/webhooks/payments/stripe", "", &json!({})),
            404,
            "NOT_FOUND",
            "",
        ),
    ]
}

/// Bodies, paths and methods that are wrong whatever they say.
fn shape_cases(world: &World) -> Vec<Case> {
    let path = "/api/v1/seats/reserve";
    let raw = |body: Vec<u8>, kind: &str| {
        let request = request("POST", path, &world.ann).header("content-type", kind);
        request.body(Body::from(body)).expect("a request")
    };
    let json = |text: &str| raw(text.as_bytes().to_vec(), "application/json");
    let bare = |method: &str, path: &str| {
        request(method, path, &world.ann)
            .body(Body::empty())
            .expect("a request")
    };
    let mut told = json("{}");
    told.headers_mut()
        .insert("content-length", "99999999".parse().expect("a number"));
    let event = &world.event;
    let (body, none, method) = ("BODY_INVALID", "NOT_FOUND", "METHOD_NOT_ALLOWED");
    vec![
        Case("no JSON", json("seats please"), 400, body, ""),
        Case("cut", json("{\"event_id\":"), 400, body, "event_id"),
        Case("a list", json("[]"), 400, body, ""),
        Case(
            "a list of the fields' values",
            json(&format!("[\"{event}\",[\"A-1-5\"]]")),
            400,
            body,
            "",
        ),
        Case("a string", json("\"x\""), 400, body, ""),
        Case(
            "two values",
            json(&format!("{{\"event_id\":\"{event}\"}} {{}}")),
            400,
            body,
            "",
        ),
        Case(
            "a field twice",
            json("{\"event_id\":\"a\",\"event_id\":\"b\"}"),
            400,
            body,
            "event_id",
        ),
        Case("deep", json(&"[".repeat(10_000)), 400, body, ""),
        Case(
            "no UTF-8",
            raw(b"{\"event_id\":\"\xff\"}".to_vec(), "application/json"),
            400,
            body,
            "event_id",
        ),
        Case(
            "a form",
            raw(b"event_id=1".to_vec(), "application/x-www-form-urlencoded"),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
            "",
        ),
        Case(
            "plain text",
            raw(b"{}".to_vec(), "text/plain"),
            415,
            "MEDIA_TYPE_UNSUPPORTED",
            "",
        ),
        Case(
            "too large",
            json(&format!("\"{}\"", "x".repeat(70_000))),
            413,
            "BODY_TOO_LARGE",
            "",
        ),
        Case("said to be too large", told, 413, "BODY_TOO_LARGE", ""),
        Case("no such path", bare("GET", "/api/v2/events"), 404, none, ""),
        Case("root", bare("GET", "/"), 404, none, ""),
        Case(
            "slash behind",
            bare("GET", "/api/v1/events/"),
            404,
            none,
            "",
        ),
        Case(
            "double slash",
            bare("GET", "//api/v1/events"),
            404,
            none,
            "",
        ),
        Case("put", bare("PUT", "/api/v1/events"), 405, method, ""),
        Case(
            "delete an event",
            bare("DELETE", &format!("/api/v1/events/{event}")),
            405,
            method,
            "",
        ),
        Case("get reserve", bare("GET", path), 405, method, ""),
        Case(
            "get pay",
            bare("GET", &format!("/api/v1/orders/{}/pay", world.order)),
            405,
            method,
            "",
        ),
        Case(
            "post status",
            bare("POST", "/api/v1/queue/status"),
            405,
            method,
            "",
        ),
        Case(
            "get webhook",
            bare("GET", "/webhooks/payments/sandbox"),
            405,
            method,
            "",
        ),
        Case("post metrics", bare("POST", "/metrics"), 405, method, ""),
    ]
}
