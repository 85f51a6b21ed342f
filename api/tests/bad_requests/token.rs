//! Who is asking.

use super::*;

pub fn cases(world: &World) -> Vec<Case> {
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
