//! The whole contract, over real ledgers, as buyers and organizers walk through it.

mod support;

use std::time::Duration;

use api::backend::BackendError;
use api::payments::{ProviderState, payment_key, webhook_signature};
use api::tickets::{TicketKeySet, verify};
use axum::body::Body;
use http_body_util::BodyExt;
use ledger::payment::PaymentStep;
use ledger::queue::merkle;
use ledger::{BuyerId, ShardId};
use serde_json::{Value, json};
use support::Door;
use support::door::{CLUSTER, request, with_json};

const RESERVE: &str = "/api/v1/seats/reserve";

fn pay_path(order: &Value) -> String {
    format!(
        "/api/v1/orders/{}/pay",
        order["order_id"].as_str().expect("an order")
    )
}

fn order_path(order: &Value) -> String {
    format!(
        "/api/v1/orders/{}",
        order["order_id"].as_str().expect("an order")
    )
}

/// The story a buyer tells: wait, be admitted, take seats of three kinds, pay, get in.
#[tokio::test]
async fn a_buyer_joins_waits_reserves_pays_and_holds_tickets_that_verify_offline() {
    let door = Door::open().await;
    let event = door
        .event(|event| event["queue"] = json!({"admit_per_minute": 6000, "draw": "random"}))
        .await;
    let ann = door.token("ann", "buyer").await;
    let queue_token = door.admitted(&event, &ann).await;

    let want = json!({
        "event_id": event, "seat_ids": ["A-1-2", "A-1-3", "B-left-7-30"],
        "general_admission": [{"section": "Floor", "count": 2}], "queue_token": queue_token,
    });
    let order = door.post(RESERVE, &ann, want).await.expect(201);
    assert_eq!(
        order["price"],
        json!({"amount": 9000 * 2 + 5000 + 3000 * 2, "currency": "EUR"})
    );
    assert_eq!(
        order["seats"][0],
        json!({"seat_id": "A-1-2", "section": "A", "row": 1, "number": 2, "price": 9000})
    );
    assert_eq!(
        order["seats"][3],
        json!({"section": "Floor", "count": 2, "price": 3000})
    );
    let shown = door.get(&order_path(&order), &ann).await.expect(200);
    assert_eq!(
        (shown["status"].as_str(), shown["attempts_left"].as_u64()),
        (Some("pending"), Some(3))
    );
    assert_eq!(shown["held_until"], order["held_until"]);

    let paid = door
        .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
    assert_eq!(paid["status"], "paid");
    let tickets = paid["ticket_ids"].as_array().expect("tickets").clone();
    assert_eq!(tickets.len(), 5);
    let again = door
        .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
    assert_eq!(again, paid);
    assert_eq!(door.gateway.count(ProviderState::Captured), 1);

    let keys = door
        .get("/.well-known/usher-ticket-keys.json", "")
        .await
        .expect(200);
    let keys: TicketKeySet = serde_json::from_value(keys).expect("keys");
    let mut labels = Vec::new();
    for ticket in &tickets {
        let path = format!("/api/v1/tickets/{}", ticket.as_str().expect("an id"));
        let shown = door.get(&path, &ann).await.expect(200);
        let payload =
            verify(shown["token"].as_str().expect("a token"), &keys).expect("a genuine ticket");
        assert_eq!(
            (&json!(payload.t), &json!(payload.o)),
            (ticket, &order["order_id"])
        );
        labels.push(payload.s);
        let qr = door.get(&format!("{path}/qr.svg"), &ann).await;
        assert_eq!(qr.header("content-type"), "image/svg+xml");
        assert!(qr.bytes.starts_with(b"<svg"));
        let gate = door.token("gus", "gate").await;
        door.get(&path, &gate).await.expect(200);
        let bob = door.token("bob", "buyer").await;
        door.get(&path, &bob).await.refused(404, "TICKET_UNKNOWN");
    }
    labels.sort();
    assert_eq!(labels, ["A-1-2", "A-1-3", "B-left-7-30", "Floor", "Floor"]);

    let shown = door
        .get(&format!("/api/v1/events/{event}"), "")
        .await
        .expect(200);
    assert_eq!(shown["counts"]["sold"], 5);
    assert_eq!(shown["sale"], "open");
    let list = door.get("/api/v1/events", "").await.expect(200);
    assert_eq!(list["events"][0]["counts"], shown["counts"]);
}

#[tokio::test]
async fn the_same_key_gives_the_same_order_and_another_body_is_refused() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let ann = door.token("ann", "buyer").await;
    let best = |count: u8| json!({"event_id": event, "best_available": {"count": count}});
    let first = door.keyed(RESERVE, &ann, "k1", best(2)).await.expect(201);
    let second = door.keyed(RESERVE, &ann, "k1", best(2)).await.expect(201);
    assert_eq!(first, second);
    door.keyed(RESERVE, &ann, "k1", best(3))
        .await
        .refused(422, "IDEMPOTENCY_KEY_REUSED");
    let named = json!({"event_id": event, "seat_ids": ["C-1-1"]});
    door.keyed(RESERVE, &ann, "k1", named.clone())
        .await
        .refused(422, "IDEMPOTENCY_KEY_REUSED");
    // Another key and another person are other orders.
    let third = door.keyed(RESERVE, &ann, "k2", best(2)).await.expect(201);
    assert_ne!(first["order_id"], third["order_id"]);
    let bob = door.token("bob", "buyer").await;
    let fourth = door.keyed(RESERVE, &bob, "k1", best(2)).await.expect(201);
    assert_ne!(first["order_id"], fourth["order_id"]);

    let organizer = door.token("olga", "organizer").await;
    let body = support::door::example();
    let one = door
        .keyed("/api/v1/events", &organizer, "e", body.clone())
        .await
        .expect(201);
    let two = door
        .keyed("/api/v1/events", &organizer, "e", body.clone())
        .await
        .expect(201);
    assert_eq!(one, two);
    let mut other = body.clone();
    other["max_per_order"] = json!(3);
    door.keyed("/api/v1/events", &organizer, "e", other.clone())
        .await
        .refused(422, "IDEMPOTENCY_KEY_REUSED");
    // Its rules may change: a repeat is a repeat of what was asked for then (seeds 15 and 60).
    let id = one["event_id"].as_str().expect("an id");
    door.open_sale(id, &organizer).await;
    door.keyed("/api/v1/events", &organizer, "e", other)
        .await
        .refused(422, "IDEMPOTENCY_KEY_REUSED");
    let three = door
        .keyed("/api/v1/events", &organizer, "e", body)
        .await
        .expect(201);
    assert_eq!(one, three);
}

/// Everybody wants the same two seats; one order wins, the others are offered seats nearby, and
/// nothing stays held for them.
#[tokio::test]
async fn many_want_the_same_seats_and_one_gets_them() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let mut buyers = Vec::new();
    for number in 0..30 {
        buyers.push(door.token(&format!("buyer {number}"), "buyer").await);
    }
    let want = json!({"event_id": event, "seat_ids": ["A-5-10", "C-2-2"]});
    let answers = futures::future::join_all(
        buyers
            .iter()
            .map(|buyer| door.post(RESERVE, buyer, want.clone())),
    )
    .await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1);
    for answer in lost {
        let problem = answer.refused(409, "SEAT_TAKEN");
        let offered = problem["available_alternatives"]
            .as_array()
            .expect("a list")
            .clone();
        assert!(
            !offered.is_empty() && !offered.contains(&json!("A-5-10")),
            "{problem}"
        );
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let shown = door
        .get(&format!("/api/v1/events/{event}"), "")
        .await
        .expect(200);
    assert_eq!(shown["counts"]["held"], 2);
    // Losing costs no allowance.
    let others = json!({"event_id": event, "best_available": {"count": 8}});
    door.post(RESERVE, &buyers[0], others.clone())
        .await
        .expect(201);
}

#[tokio::test]
async fn best_available_honours_price_section_and_accessibility_and_ends_with_not_enough() {
    let door = Door::open().await;
    let event = door
        .event(|event| event["max_per_buyer"] = json!(1000))
        .await;
    let ann = door.token("ann", "buyer").await;
    let best = |filter: Value| {
        let mut want = json!({"count": 2});
        want.as_object_mut()
            .expect("a map")
            .extend(filter.as_object().expect("a map").clone());
        json!({"event_id": event, "best_available": want})
    };
    let cheap = door
        .post(RESERVE, &ann, best(json!({"max_price": 5000})))
        .await
        .expect(201);
    assert_eq!(cheap["seats"][0]["price"], 5000);
    let named = door
        .post(RESERVE, &ann, best(json!({"sections": ["C"]})))
        .await
        .expect(201);
    assert_eq!(named["seats"][0]["section"], "C");
    let accessible = door
        .post(RESERVE, &ann, best(json!({"accessible": true})))
        .await
        .expect(201);
    assert_eq!(accessible["seats"][0]["row"], 10);
    door.post(RESERVE, &ann, best(json!({"max_price": 1})))
        .await
        .refused(409, "NOT_ENOUGH_SEATS");
    for _ in 0..24 {
        door.post(RESERVE, &ann, best(json!({"sections": ["C"]})))
            .await
            .expect(201);
    }
    door.post(RESERVE, &ann, best(json!({"sections": ["C"]})))
        .await
        .refused(409, "NOT_ENOUGH_SEATS");
}

#[tokio::test]
async fn a_declined_payment_leaves_the_seats_held_three_times_and_then_frees_them() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let ann = door.token("ann", "buyer").await;
    for seats in [json!(["A-2-1"]), json!(["A-2-2", "B-left-1-1", "C-1-1"])] {
        let want = json!({"event_id": event, "seat_ids": seats});
        let order = door.post(RESERVE, &ann, want).await.expect(201);
        let path = pay_path(&order);
        let declines = || door.post(&path, &ann, json!({"payment_method": "pm_decline"}));
        assert_eq!(
            declines().await.refused(402, "PAYMENT_DECLINED")["attempts_left"],
            2
        );
        let shown = door.get(&order_path(&order), &ann).await.expect(200);
        assert_eq!(shown["status"], "pending");
        assert_eq!(
            declines().await.refused(402, "PAYMENT_DECLINED")["attempts_left"],
            1
        );
        assert_eq!(
            declines().await.refused(402, "PAYMENT_DECLINED")["attempts_left"],
            0
        );
        let over = door
            .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
            .await;
        over.refused(402, "PAYMENT_DECLINED");
    }
    assert_eq!(door.gateway.count(ProviderState::Captured), 0);
}

/// The provider charges and its answer is lost: the look-up finds the charge, nobody pays twice.
#[tokio::test]
async fn a_lost_answer_is_found_by_looking_up_and_a_call_that_never_arrived_is_repeated() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let ann = door.token("ann", "buyer").await;
    for reached in [true, false] {
        door.gateway.lost.lock().expect("no panics").push(reached);
        let want = json!({"event_id": event, "best_available": {"count": 1}});
        let order = door.post(RESERVE, &ann, want).await.expect(201);
        let paid = door
            .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
            .await
            .expect(200);
        assert_eq!(paid["status"], "paid");
    }
    assert_eq!(door.gateway.count(ProviderState::Captured), 2);
    assert_eq!(door.gateway.count(ProviderState::Authorized), 0);
}

/// The provider cannot be reached; its webhook brings the outcome. Repeats change nothing.
#[tokio::test]
async fn a_webhook_settles_what_the_gateway_could_not_and_may_come_twice() {
    let door = Door::with(|config| config.limits.pay_wait = Duration::from_millis(300)).await;
    let event = door.event(|_| ()).await;
    let ann = door.token("ann", "buyer").await;
    let want = json!({"event_id": event, "best_available": {"count": 1}});
    let order = door.post(RESERVE, &ann, want).await.expect(201);
    door.gateway.lost.lock().expect("no panics").push(true);
    *door.gateway.down.lock().expect("no panics") = true;
    let waiting = door
        .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
        .await;
    assert_eq!(waiting.header("retry-after"), "2");
    assert_eq!(waiting.expect(202)["status"], "processing");

    let id = order["order_id"].as_str().expect("an id");
    let number = api::text::parse_order(id).expect("an id");
    let key = payment_key(CLUSTER, number, PaymentStep::Authorize, 1);
    let body = json!({"id": "wh_1", "type": "authorized", "order": id, "step": "authorize",
        "attempt": null, "key": key, "reference": key});
    let secret = door.state.config.webhook_secrets[0].clone();
    let send = |at: u64, body: String| {
        let signature = webhook_signature(&secret, at, body.as_bytes());
        let request =
            request("POST", "/webhooks/payments/sandbox", "").header("usher-signature", signature);
        door.send(request.body(Body::from(body)).expect("a request"))
    };
    door.backend
        .failing
        .lock()
        .expect("no panics")
        .push((number.home(), BackendError::OutcomeUnknown));
    send(door.now_s(), body.to_string())
        .await
        .refused(503, "NO_LEADER");
    let entries = || door.backend.entries(number.home());
    let before = entries();
    assert_eq!(send(door.now_s(), body.to_string()).await.status, 200);
    assert!(entries() > before, "acknowledged before it was recorded");
    for _ in 0..3 {
        assert_eq!(send(door.now_s(), body.to_string()).await.status, 200);
    }
    let declined =
        json!({"id": "wh_2", "type": "declined", "order": id, "key": key, "reference": ""});
    assert_eq!(send(door.now_s(), declined.to_string()).await.status, 200);
    for _ in 0..200 {
        let shown = door.get(&order_path(&order), &ann).await.expect(200);
        if shown["status"] == "paid" {
            assert_eq!(door.gateway.count(ProviderState::Captured), 1);
            let known = entries();
            assert_eq!(send(door.now_s(), body.to_string()).await.status, 200);
            assert_eq!(entries(), known, "what is known costs no entry");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the webhook did not commit the order");
}

#[tokio::test]
async fn seats_given_back_are_free_at_once_and_an_expired_hold_can_not_be_paid() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let (ann, bob) = (
        door.token("ann", "buyer").await,
        door.token("bob", "buyer").await,
    );
    let want = json!({"event_id": event, "seat_ids": ["A-3-3", "C-3-3"]});
    let order = door.post(RESERVE, &ann, want.clone()).await.expect(201);
    let hold = format!("{}/hold", order_path(&order));
    let give_back = |who: &str| {
        door.send(
            request("DELETE", &hold, who)
                .body(Body::empty())
                .expect("a request"),
        )
    };
    give_back(&bob).await.refused(404, "ORDER_UNKNOWN");
    for _ in 0..2 {
        assert_eq!(give_back(&ann).await.expect(200)["status"], "cancelled");
    }
    assert_eq!(
        door.get(&order_path(&order), &ann).await.expect(200)["status"],
        "cancelled"
    );
    let pay = door
        .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
        .await;
    assert_eq!(pay.refused(409, "ORDER_OVER")["reason"], "cancelled");
    tokio::time::sleep(Duration::from_millis(100)).await;

    let order = door.post(RESERVE, &bob, want.clone()).await.expect(201);
    // Told home meanwhile.
    tokio::time::sleep(Duration::from_millis(50)).await;
    // An outage would extend the hold, so time goes on in steps a ledger takes for normal.
    for _ in 0..620 {
        door.backend.advance(1_000);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        door.get(&order_path(&order), &bob).await.expect(200)["status"],
        "expired"
    );
    door.post(&pay_path(&order), &bob, json!({"payment_method": "pm_ok"}))
        .await
        .refused(409, "HOLD_EXPIRED");
    tokio::time::sleep(Duration::from_millis(50)).await;
    door.post(RESERVE, &ann, want).await.expect(201);
}

#[tokio::test]
async fn a_refund_frees_the_seats_voids_the_tickets_and_happens_once() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let (ann, olga) = (
        door.token("ann", "buyer").await,
        door.token("olga", "organizer").await,
    );
    let want = json!({"event_id": event, "seat_ids": ["A-3-3"]});
    let order = door.post(RESERVE, &ann, want.clone()).await.expect(201);
    let refund = format!("{}/refund", order_path(&order));
    door.post(&refund, &olga, Value::Null)
        .await
        .refused(409, "NOT_PAID");
    let paid = door
        .post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
    door.post(&refund, &ann, Value::Null)
        .await
        .refused(403, "FORBIDDEN");
    let stranger = door.token("otto", "organizer").await;
    door.post(&refund, &stranger, Value::Null)
        .await
        .refused(404, "ORDER_UNKNOWN");
    for _ in 0..2 {
        door.post(&refund, &olga, Value::Null).await.expect(202);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        door.get(&order_path(&order), &ann).await.expect(200)["status"],
        "refunded"
    );
    assert_eq!(door.gateway.count(ProviderState::Refunded), 1);
    let ticket = format!(
        "/api/v1/tickets/{}",
        paid["ticket_ids"][0].as_str().expect("an id")
    );
    assert_eq!(door.get(&ticket, &ann).await.expect(200)["status"], "void");
    door.get(&format!("{ticket}/qr.svg"), &ann)
        .await
        .refused(409, "ORDER_OVER");
    door.post(RESERVE, &ann, want).await.expect(201);
}

#[tokio::test]
async fn a_seat_map_is_not_sent_again_until_a_seat_changes_and_shrinks_when_it_may() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let path = format!("/api/v1/events/{event}/seats");
    let full = door.get(&path, "").await;
    let tag = full.header("etag");
    let map = full.expect(200);
    assert_eq!(
        map["sections"][0]["states"]
            .as_str()
            .map(|states| &states[..3]),
        Some("BAA")
    );
    assert_eq!(map["sections"][3]["available"], 100);
    let ask = |tag: &str, encoding: &str| {
        let request = request("GET", &path, "")
            .header("if-none-match", tag)
            .header("accept-encoding", encoding);
        door.send(request.body(Body::empty()).expect("a request"))
    };
    assert_eq!(ask(&tag, "").await.status, 304);
    assert_eq!(ask(&format!("\"x\", W/{tag}"), "").await.status, 304);
    let zipped = ask("\"x\"", "br, gzip;q=0.5").await;
    assert_eq!(
        (
            zipped.header("content-encoding").as_str(),
            zipped.status.as_u16()
        ),
        ("gzip", 200)
    );
    assert!(zipped.bytes.len() < 700 && zipped.header("etag") != tag);
    assert_eq!(ask(&zipped.header("etag"), "gzip").await.status, 304);
    assert_eq!(
        ask("\"x\"", "gzip;q=0").await.header("content-encoding"),
        ""
    );

    let ann = door.token("ann", "buyer").await;
    let want = json!({"event_id": event, "seat_ids": ["A-1-2"]});
    door.post(RESERVE, &ann, want).await.expect(201);
    let changed = ask(&tag, "").await;
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(
        changed.expect(200)["sections"][0]["states"]
            .as_str()
            .map(|states| &states[..3]),
        Some("BHA")
    );
    let one = door
        .get(&format!("{path}?section=C&consistency=linearizable"), "")
        .await
        .expect(200);
    assert_eq!(one["sections"].as_array().map(Vec::len), Some(1));
    door.get(&format!("{path}?section=Z"), "")
        .await
        .refused(422, "SECTION_UNKNOWN");
}

#[tokio::test]
async fn a_stream_tells_seats_as_they_change() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let path = format!("/api/v1/events/{event}/seats");
    let open = request("GET", &path, "").header("accept", "text/event-stream");
    let response = door
        .stream(open.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let ann = door.token("ann", "buyer").await;
    let want = json!({"event_id": event, "seat_ids": ["A-1-2", "A-1-3"]});
    door.post(RESERVE, &ann, want).await.expect(201);
    let mut heard = String::new();
    while !heard.contains("changes") {
        let frame = tokio::time::timeout(Duration::from_secs(5), body.frame())
            .await
            .expect("in time");
        let frame = frame
            .expect("the stream goes on")
            .expect("and does not break");
        heard.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
    let data = heard
        .split("data: ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("data");
    let data: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(data["section"], "A");
    assert_eq!(data["changes"], json!([["A-1-2", "H"], ["A-1-3", "H"]]));
    assert!(heard.contains(&format!("id: {}", data["revision"])));
}

/// A lobby, a draw, a proof that anybody can check, strict order behind it.
#[tokio::test]
async fn the_draw_is_committed_before_it_and_everybody_can_prove_their_place() {
    let door = Door::open().await;
    let organizer = door.token("olga", "organizer").await;
    let mut event = support::door::example();
    event["queue"] = json!({"admit_per_minute": 60, "draw": "random", "beacon": "lottery 4 8 15"});
    let created = door
        .post("/api/v1/events", &organizer, event)
        .await
        .expect(201);
    let event = created["event_id"].as_str().expect("an id").to_owned();
    let document = format!("/api/v1/events/{event}/queue");
    let lobby = door.get(&document, "").await;
    assert_eq!(lobby.header("cache-control"), "public, max-age=1");
    let lobby = lobby.expect(200);
    assert_eq!(
        (lobby["state"].as_str(), &lobby["draw"]["commitment"]),
        (Some("lobby"), &created["draw_commitment"])
    );
    assert_eq!(lobby["draw"]["secret"], Value::Null);

    let join = format!("/api/v1/queue/join?event_id={event}");
    let mut people = Vec::new();
    for number in 0..20 {
        people.push(door.token(&format!("p{number}"), "buyer").await);
    }
    let joined =
        futures::future::join_all(people.iter().map(|who| door.post(&join, who, Value::Null)))
            .await;
    let tokens: Vec<String> = joined
        .into_iter()
        .map(|answer| {
            let answer = answer.expect(200);
            assert_eq!(answer["queue_position"], Value::Null);
            answer["queue_token"].as_str().expect("a token").to_owned()
        })
        .collect();
    door.get("/api/v1/queue/proof", &tokens[0])
        .await
        .refused(409, "NOT_DRAWN_YET");
    let want = json!({"event_id": event, "seat_ids": ["A-2-1"], "queue_token": tokens[0]});
    door.post(RESERVE, &people[0], want.clone())
        .await
        .refused(403, "NOT_ADMITTED_YET");

    door.open_sale(&event, &organizer).await;
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let drawn = door.get(&document, "").await.expect(200);
    assert_eq!(
        (drawn["state"].as_str(), drawn["draw"]["n"].as_u64()),
        (Some("open"), Some(20))
    );
    let secret =
        api::text::parse_hex(drawn["draw"]["secret"].as_str().expect("a secret")).expect("hex");
    let secret: [u8; 32] = secret.try_into().expect("32 bytes");
    let commitment = ledger::queue::draw::commitment(&secret);
    assert_eq!(
        json!(api::text::hex(&commitment)),
        created["draw_commitment"]
    );

    let mut positions = Vec::new();
    for token in &tokens {
        let proof = door.get("/api/v1/queue/proof", token).await.expect(200);
        assert!(proof.to_string().len() < 2_048);
        let hash = |text: &Value| -> [u8; 32] {
            let bytes = api::text::parse_hex(text.as_str().expect("text")).expect("hex");
            bytes.try_into().expect("32 bytes")
        };
        let buyer = api::text::parse_hex(proof["buyer"].as_str().expect("text")).expect("hex");
        let buyer = BuyerId(u128::from_be_bytes(buyer.try_into().expect("16 bytes")));
        let path: Vec<[u8; 32]> = proof["path"]
            .as_array()
            .expect("a path")
            .iter()
            .map(hash)
            .collect();
        let (index, n) = (
            proof["index"].as_u64().expect("an index"),
            proof["n"].as_u64().expect("a count"),
        );
        assert!(merkle::verify(
            merkle::leaf(buyer),
            index,
            n,
            &path,
            &hash(&drawn["draw"]["root"])
        ));
        positions.push(proof["position"].as_u64().expect("a position"));
    }
    positions.sort_unstable();
    assert_eq!(positions, (0..20).collect::<Vec<u64>>());

    let late = door.token("late", "buyer").await;
    let place = door.post(&join, &late, Value::Null).await.expect(200);
    assert_eq!(place["queue_position"], 21);
    let token = place["queue_token"].as_str().expect("a token").to_owned();
    let status = door.get("/api/v1/queue/status", &token).await.expect(200);
    assert_eq!(
        (status["status"].as_str(), status["odds"].as_str()),
        (Some("waiting"), Some("good"))
    );
    // Somebody else's token, and none, admit nobody.
    let stolen = json!({"event_id": event, "seat_ids": ["A-2-1"], "queue_token": tokens[1]});
    door.post(RESERVE, &people[0], stolen)
        .await
        .refused(403, "QUEUE_TOKEN_INVALID");
    let none = json!({"event_id": event, "seat_ids": ["A-2-1"]});
    door.post(RESERVE, &people[0], none)
        .await
        .refused(403, "PASS_REQUIRED");
}

#[tokio::test]
async fn the_organizer_pauses_resumes_and_closes_and_the_door_follows() {
    let door = Door::open().await;
    let event = door
        .event(|event| event["queue"] = json!({"admit_per_minute": 6000}))
        .await;
    let (ann, olga) = (
        door.token("ann", "buyer").await,
        door.token("olga", "organizer").await,
    );
    let token = door.admitted(&event, &ann).await;
    let want = json!({"event_id": event, "seat_ids": ["A-2-1"], "queue_token": token});
    let path = format!("/api/v1/events/{event}/sale");
    let change = |body: Value| door.send(with_json("PATCH", &path, &olga, &body));
    let paused = change(json!({"action": "pause", "admit_per_minute": 5}))
        .await
        .expect(200);
    assert_eq!(
        (paused["sale"].as_str(), paused["admit_per_minute"].as_u64()),
        (Some("paused"), Some(5))
    );
    assert_eq!(
        change(json!({"action": "pause"})).await.expect(200)["version"],
        paused["version"]
    );
    door.post(RESERVE, &ann, want.clone())
        .await
        .refused(409, "SALE_PAUSED");
    change(json!({"action": "resume"})).await.expect(200);
    let order = door.post(RESERVE, &ann, want.clone()).await.expect(201);
    change(json!({"action": "close"})).await.expect(200);
    door.post(RESERVE, &ann, want)
        .await
        .refused(409, "SALE_CLOSED");
    let closed = door.get("/api/v1/queue/status", &token).await.expect(200);
    assert_eq!(closed["status"], "closed");
    // Who holds may still pay.
    door.post(&pay_path(&order), &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn an_unknown_outcome_names_the_order_and_the_repeat_finds_it() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let ann = door.token("ann", "buyer").await;
    let want = json!({"event_id": event, "seat_ids": ["A-1-5", "B-left-1-1", "C-1-1"]});
    for shard in 1..=3 {
        let failing = (ShardId(shard), BackendError::OutcomeUnknown);
        door.backend
            .failing
            .lock()
            .expect("no panics")
            .push(failing);
    }
    let mut problem = Value::Null;
    let order = loop {
        let answer = door.keyed(RESERVE, &ann, "k", want.clone()).await;
        if answer.status == 201 {
            break answer.json();
        }
        problem = answer.refused(504, "OUTCOME_UNKNOWN");
        door.backend.failing.lock().expect("no panics").clear();
    };
    assert_eq!(problem["order_id"], order["order_id"]);
    let busy = (ShardId(1), BackendError::Overloaded { shard: ShardId(1) });
    door.backend
        .failing
        .lock()
        .expect("no panics")
        .extend([busy, busy, busy]);
    door.backend
        .failing
        .lock()
        .expect("no panics")
        .extend([2, 3].map(|shard| {
            (
                ShardId(shard),
                BackendError::Overloaded {
                    shard: ShardId(shard),
                },
            )
        }));
    let answer = door
        .post(
            RESERVE,
            &ann,
            json!({"event_id": event, "seat_ids": ["A-7-7"]}),
        )
        .await;
    assert_eq!(answer.header("retry-after"), "1");
    answer.refused(503, "OVERLOADED");
}

#[tokio::test]
async fn under_overload_browsing_goes_first_and_paying_never() {
    let door = Door::with(|config| config.limits.requests_max = 0).await;
    let shed = door.get("/api/v1/events", "").await;
    assert_eq!(shed.header("retry-after"), "1");
    shed.refused(503, "OVERLOADED");
    door.post(RESERVE, "", json!({}))
        .await
        .refused(503, "OVERLOADED");
    let order = "/api/v1/orders/00000000-0000-8001-8000-000000000000/pay";
    door.post(order, "", json!({}))
        .await
        .refused(401, "UNAUTHENTICATED");
    assert_eq!(door.get("/livez", "").await.status, 200);
    let metrics = door.get("/metrics", "").await;
    let text = String::from_utf8_lossy(&metrics.bytes).into_owned();
    assert!(
        text.contains("usher_api_shed_total{kind=\"browse\"} 1"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_route_is_documented_and_the_document_works_offline() {
    let door = Door::open().await;
    let document = door.get("/openapi.json", "").await.expect(200);
    assert!(
        document["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3.1"))
    );
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            operations += 1;
            let path = path.replace("{id}", "0").replace("{gateway}", "x");
            let request = request(&method.to_uppercase(), &path, "").body(Body::empty());
            let answer = door.send(request.expect("a request")).await;
            let code = answer.error();
            let known = !["METHOD_NOT_ALLOWED"].contains(&code.as_str());
            let found = code != "NOT_FOUND" || path.starts_with("/webhooks");
            assert!(known && found, "{method} {path}: {code}");
        }
    }
    assert_eq!(operations, 25);
    let page = door.get("/docs/", "").await;
    assert_eq!(page.status, 200);
    assert!(!String::from_utf8_lossy(&page.bytes).contains("https://"));
}

#[tokio::test]
async fn a_request_keeps_its_name_and_a_draining_node_says_so() {
    let door = Door::open().await;
    let named = request("GET", "/nowhere", "")
        .header("x-request-id", "abc-1")
        .body(Body::empty());
    let answer = door.send(named.expect("a request")).await;
    assert_eq!(answer.header("x-request-id"), "abc-1");
    let problem = answer.refused(404, "NOT_FOUND");
    assert_eq!(
        (problem["instance"].as_str(), problem["status"].as_u64()),
        (Some("abc-1"), Some(404))
    );
    assert_eq!(problem["type"], "https://usher.invalid/problems/not-found");
    assert_eq!(door.get("/readyz", "").await.status, 200);
    door.backend
        .ready
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let problem = door.get("/readyz", "").await.refused(503, "NOT_READY");
    assert_eq!(
        problem["detail"],
        "this node is draining; group 2 has no leader"
    );
    assert_eq!(
        problem["missing"],
        serde_json::json!(["draining", "leader"])
    );
}

#[tokio::test]
async fn without_room_on_the_disks_new_demand_is_refused_by_name_and_the_rest_goes_on() {
    let door = Door::open().await;
    let room = |room| {
        let told = &door.backend.room;
        told.store(room, std::sync::atomic::Ordering::SeqCst);
    };
    room(false);
    let body = serde_json::json!({"event_id": "x", "seat_ids": ["A-1-1"]});
    for path in [
        "/api/v1/seats/reserve",
        "/api/v1/queue/join?event_id=x",
        "/api/v1/events",
    ] {
        let answer = door.post(path, "", body.clone()).await;
        assert_eq!(answer.header("retry-after"), "10", "{path}");
        answer.refused(503, "DISK_FULL");
    }
    assert_eq!(
        door.get("/api/v1/events", "").await.status,
        200,
        "reads go on"
    );
    let pay = door
        .post("/api/v1/orders/x/pay", "", serde_json::json!({}))
        .await;
    assert_ne!(pay.status, 503, "what was begun goes on");
    room(true);
    let again = door.post("/api/v1/seats/reserve", "", body).await;
    assert_ne!(again.status, 503);
}
