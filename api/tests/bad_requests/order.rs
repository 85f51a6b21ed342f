//! Orders: asking, paying, giving back, refunding, tickets.

use super::*;

pub fn cases(world: &World) -> Vec<Case> {
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
            403,
            "FORBIDDEN",
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
