//! The waiting room.

use super::*;

pub fn cases(world: &World) -> Vec<Case> {
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
