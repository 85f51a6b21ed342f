//! Reserving seats.

use super::*;

pub fn cases(world: &World) -> Vec<Case> {
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
