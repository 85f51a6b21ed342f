//! Changing a sale.

use super::*;

pub fn cases(world: &World) -> Vec<Case> {
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
