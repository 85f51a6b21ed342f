//! Routes, methods, bodies, headers.

use super::*;

/// Bodies, paths and methods that are wrong whatever they say.
pub fn cases(world: &World) -> Vec<Case> {
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
