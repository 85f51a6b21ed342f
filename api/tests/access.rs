//! Who may ask for what: every route with every role, and with none; keys from the first to the last
//! day of their lives.

mod support;

use api::auth::access::{Access, Entry, ROUTES};
use api::auth::key::{ApiKey, WRONG_PER_S_MAX};
use api::backend::Backend;
use axum::body::Body;
use cluster::catalogue::{CatalogueCommand, Deed, KeyRecord, KeyRole, Who};
use http::Method;
use ledger::{EventId, Timestamp};
use serde_json::{Value, json};
use support::Door;
use support::door::{Answer, example, request, with_json};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn deed(id: u128) -> Deed {
    Deed {
        id,
        who: Who::Unproven,
        request: String::new(),
        action: "key.create".to_owned(),
        about: String::new(),
    }
}

async fn do_it(door: &Door, id: u128, command: CatalogueCommand) {
    let within = std::time::Duration::from_secs(1);
    let done = door.backend.propose_catalogue(deed(id), command, within);
    let committed = done.await.expect("a backend in this process");
    committed.outcome.expect("nothing is wrong with it");
}

/// A key as `usher key create` makes it.
async fn key(
    door: &Door,
    role: KeyRole,
    number: u8,
    change: impl FnOnce(&mut KeyRecord),
) -> ApiKey {
    let key = ApiKey::from_chance(&[number; 40]);
    let mut record = KeyRecord {
        role,
        name: format!("{role:?} {number}"),
        event: None,
        hash: key.hash(),
        created_at: door.backend.now(),
        expires_at: None,
        revoked_at: None,
    };
    change(&mut record);
    let record = Box::new(record);
    let command = CatalogueCommand::CreateKey {
        key: key.id,
        record,
    };
    do_it(door, u128::from(number), command).await;
    key
}

async fn ask(door: &Door, entry: &Entry, token: &str) -> Answer {
    let path = entry
        .path
        .replace("{id}", NOBODY)
        .replace("{gateway}", "sandbox");
    let path = path.replace("{unknown}", "nowhere");
    let builder = request(entry.method.as_str(), &path, token);
    door.send(builder.body(Body::empty()).expect("a request"))
        .await
}

#[tokio::test]
async fn every_route_answers_the_roles_of_its_row_and_refuses_all_others_and_nobody() {
    let door = Door::open().await;
    let mut shown = vec![("none", String::new())];
    for role in ["buyer", "organizer", "operator", "gate"] {
        shown.push((role, door.token("somebody", role).await));
    }
    for (number, role, name) in [
        (1, KeyRole::Organizer, "organizer"),
        (2, KeyRole::Operator, "operator"),
        (3, KeyRole::Gate, "gate"),
        (4, KeyRole::ReadOnly, "read-only"),
    ] {
        shown.push((name, key(&door, role, number, |_| ()).await.text()));
    }
    let mut asked = 0;
    for entry in ROUTES {
        for (role, token) in &shown {
            let answer = ask(&door, entry, token).await;
            let (status, error) = (answer.status.as_u16(), answer.error());
            let what = format!("{} as {role}: {status} {error}", entry.route);
            let by_role = error == "FORBIDDEN"
                && answer.json()["detail"]
                    .to_string()
                    .contains("needs the role");
            match entry.access {
                Access::Open => assert!(!matches!(status, 401 | 403), "{what}"),
                Access::Checked => assert!(!by_role, "{what}"),
                Access::Roles(_) if *role == "none" => assert_eq!(status, 401, "{what}"),
                Access::Roles(roles) => {
                    let may = roles.iter().any(|allowed| allowed.name() == *role);
                    assert_eq!(!by_role, may, "{what}");
                    assert_ne!(status, 401, "{what}");
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 200, "{asked}");
}

/// The table against what the door says of itself: a route that is only in one of them is a mistake.
#[tokio::test]
async fn every_documented_route_has_a_row_and_every_row_is_documented() {
    let door = Door::open().await;
    let document = door.get("/openapi.json", "").await.expect(200);
    let mut documented = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            documented.push((method.to_uppercase(), path.clone()));
        }
    }
    let hidden = ["docs", "unknown"];
    let rows = ROUTES.iter().filter(|entry| !hidden.contains(&entry.route));
    let mut rows: Vec<_> = rows
        .map(|entry| (entry.method.to_string(), entry.path.to_owned()))
        .collect();
    documented.sort();
    rows.sort();
    assert_eq!(rows, documented);
    let mut names: Vec<_> = ROUTES.iter().map(|entry| entry.route).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ROUTES.len());
    // Whoever is let in by a role is told so in the document.
    for entry in ROUTES {
        let method = entry.method.as_str().to_lowercase();
        let security = &document["paths"][entry.path][method]["security"];
        let asks = security.to_string().contains("\"bearer\"");
        let roles = matches!(entry.access, Access::Roles(_));
        assert_eq!(asks, roles, "{}", entry.route);
    }
    let head = ROUTES.iter().find(|entry| entry.route == "orders_list");
    let head = head.expect("it exists").roles(&Method::HEAD);
    assert!(head.is_some(), "HEAD is a GET");
}

#[tokio::test]
async fn a_key_opens_until_it_ends_is_revoked_or_is_not_quite_the_one() {
    let door = Door::open().await;
    let mortal = key(&door, KeyRole::Operator, 1, |record| {
        record.expires_at = Some(record.created_at.plus_ms(60_000));
    });
    let mortal = mortal.await;
    let event = door.event(|_| ()).await;
    let feed = format!("/api/v1/events/{event}/sale");
    let pause = |token: &str| with_json("PATCH", &feed, token, &json!({"admit_per_minute": 1}));
    // Refused for what is asked, not for who asks.
    let right = door.send(pause(&mortal.text())).await;
    right.refused(409, "QUEUE_NONE");

    let mut almost = mortal.clone();
    almost.secret[31] ^= 1;
    let mut stranger = mortal.clone();
    stranger.id.0 ^= 1;
    for wrong in [
        almost.text(),
        stranger.text(),
        mortal.text().replace("usher_", "usher_x"),
    ] {
        door.send(pause(&wrong))
            .await
            .refused(401, "UNAUTHENTICATED");
    }
    door.backend.advance(60_001);
    let ended = door.send(pause(&mortal.text())).await;
    assert_eq!(
        ended.refused(401, "UNAUTHENTICATED")["detail"],
        "the key has expired"
    );

    let lost = key(&door, KeyRole::Operator, 2, |_| ()).await;
    door.send(pause(&lost.text()))
        .await
        .refused(409, "QUEUE_NONE");
    let (key, at) = (lost.id, door.backend.now());
    do_it(&door, 99, CatalogueCommand::RevokeKey { key, at }).await;
    let revoked = door.send(pause(&lost.text())).await;
    assert_eq!(
        revoked.refused(401, "UNAUTHENTICATED")["detail"],
        "the key was revoked"
    );

    let metrics = door.get("/metrics", "").await;
    let metrics = String::from_utf8_lossy(&metrics.bytes).into_owned();
    for line in [
        "usher_api_keys_refused_total{kind=\"unknown\"} 2",
        "usher_api_keys_refused_total{kind=\"malformed\"} 1",
        "usher_api_keys_refused_total{kind=\"expired\"} 1",
        "usher_api_keys_refused_total{kind=\"revoked\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn wrong_keys_are_limited_and_right_ones_are_not_kept_waiting_for_it() {
    let door = Door::open().await;
    let good = key(&door, KeyRole::ReadOnly, 1, |_| ()).await.text();
    let wrong = ApiKey::from_chance(&[9; 40]).text();
    let path = format!("/api/v1/orders/{NOBODY}");
    door.backend.freeze();
    let mut told = Vec::new();
    for _ in 0..=WRONG_PER_S_MAX {
        told.push(door.get(&path, &wrong).await.status.as_u16());
    }
    assert_eq!(told.pop(), Some(429));
    assert!(told.iter().all(|&status| status == 401), "{told:?}");
    let limited = door.get(&path, &wrong).await;
    assert_eq!(limited.header("retry-after"), "1");
    limited.refused(429, "TOO_MANY_WRONG_KEYS");
    door.get(&path, &good).await.refused(404, "ORDER_UNKNOWN");
}

#[tokio::test]
async fn a_key_for_one_event_opens_that_one_and_names_share_what_they_made() {
    let door = Door::open().await;
    let organizer = key(&door, KeyRole::Organizer, 1, |r| {
        r.name = "box office".to_owned()
    })
    .await;
    let create = |token: &str| with_json("POST", "/api/v1/events", token, &example());
    let made = door.send(create(&organizer.text())).await.expect(201);
    let own = made["event_id"].as_str().expect("an id").to_owned();
    let other = door.event(|_| ()).await;
    let open = |event: &str, token: &str| {
        let path = format!("/api/v1/events/{event}/sale");
        with_json("PATCH", &path, token, &json!({"action": "open"}))
    };
    door.send(open(&own, &organizer.text())).await.expect(200);
    door.send(open(&other, &organizer.text()))
        .await
        .refused(403, "FORBIDDEN");
    // The next key of that name carries on.
    let heir = key(&door, KeyRole::Organizer, 2, |r| {
        r.name = "box office".to_owned()
    })
    .await;
    door.send(open(&own, &heir.text())).await.expect(200);

    let bound = api::text::parse_event(&other).map(|event| EventId(event.0));
    let guest = key(&door, KeyRole::Organizer, 3, |record| record.event = bound).await;
    door.send(open(&other, &guest.text())).await.expect(200);
    door.send(open(&own, &guest.text()))
        .await
        .refused(403, "FORBIDDEN");
    door.send(create(&guest.text()))
        .await
        .refused(403, "FORBIDDEN");

    // At the gate: tickets of its event, and no others.
    let ann = door.token("ann", "buyer").await;
    let want = json!({"event_id": own, "seat_ids": ["A-1-2"]});
    let order = door
        .post("/api/v1/seats/reserve", &ann, want)
        .await
        .expect(201);
    let pay = format!(
        "/api/v1/orders/{}/pay",
        order["order_id"].as_str().expect("an id")
    );
    let paid = door
        .post(&pay, &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
    let ticket = format!(
        "/api/v1/tickets/{}",
        paid["ticket_ids"][0].as_str().expect("an id")
    );
    let everywhere = key(&door, KeyRole::Gate, 4, |_| ()).await.text();
    let elsewhere = key(&door, KeyRole::Gate, 5, |record| record.event = bound)
        .await
        .text();
    let looker = key(&door, KeyRole::ReadOnly, 6, |_| ()).await.text();
    door.get(&ticket, &everywhere).await.expect(200);
    door.get(&ticket, &elsewhere)
        .await
        .refused(404, "TICKET_UNKNOWN");
    door.get(&ticket, &looker).await.refused(403, "FORBIDDEN");
    let order = format!(
        "/api/v1/orders/{}",
        order["order_id"].as_str().expect("an id")
    );
    door.get(&order, &looker).await.expect(200);
    door.get(&order, &everywhere)
        .await
        .refused(403, "FORBIDDEN");
}

/// Whatever changes an event or sends money back is on record: once, with who and by which request.
#[tokio::test]
async fn what_organizers_do_is_in_the_trail_with_who_and_by_which_request() {
    let door = Door::open().await;
    let olga = door.token("olga", "organizer").await;
    let tell = |mut request: http::Request<Body>, name: &str| {
        let name = name.parse().expect("a header");
        request.headers_mut().insert("x-request-id", name);
        request
    };
    let made = with_json("POST", "/api/v1/events", &olga, &example());
    let made = door.send(tell(made, "made")).await.expect(201);
    let event = made["event_id"].as_str().expect("an id").to_owned();
    let sale = format!("/api/v1/events/{event}/sale");
    let change = |action: &str| with_json("PATCH", &sale, &olga, &json!({ "action": action }));
    door.send(tell(change("open"), "opened")).await.expect(200);
    // Changes nothing, and leaves nothing.
    door.send(tell(change("open"), "again")).await.expect(200);
    door.send(tell(change("pause"), "paused")).await.expect(200);
    door.send(tell(change("resume"), "resumed"))
        .await
        .expect(200);
    let ann = door.token("ann", "buyer").await;
    let want = json!({"event_id": event, "seat_ids": ["A-1-2"]});
    let order = door
        .post("/api/v1/seats/reserve", &ann, want)
        .await
        .expect(201);
    let order = order["order_id"].as_str().expect("an id").to_owned();
    let refund = format!("/api/v1/orders/{order}/refund");
    let refund = || with_json("POST", &refund, &olga, &Value::Null);
    door.send(tell(refund(), "early"))
        .await
        .refused(409, "NOT_PAID");
    let pay = format!("/api/v1/orders/{order}/pay");
    door.post(&pay, &ann, json!({"payment_method": "pm_ok"}))
        .await
        .expect(200);
    door.send(tell(refund(), "refunded")).await.expect(202);
    door.send(tell(refund(), "repeated")).await.expect(202);

    let (_, catalogue) = door.backend.copy();
    let told: Vec<_> = catalogue
        .trail()
        .records()
        .map(|record| &record.deed)
        .collect();
    let lines: Vec<_> = told
        .iter()
        .map(|deed| (&*deed.request, &*deed.action))
        .collect();
    assert_eq!(
        lines,
        [
            ("made", "event.create"),
            ("opened", "sale.open"),
            ("paused", "sale.pause"),
            ("resumed", "sale.resume"),
            ("refunded", "order.refund"),
        ]
    );
    assert!(told[0].about.starts_with(&event) && told[0].about.contains("Gala"));
    assert_eq!(told[4].about, order);
    let olga = api::auth::person(api::config::OWN_ISSUER, "olga");
    let role = "organizer".to_owned();
    assert!(told.iter().all(|deed| deed.who
        == Who::Person {
            id: olga.0,
            role: role.clone()
        }));
    let times: Vec<_> = catalogue
        .trail()
        .records()
        .map(|record| record.at)
        .collect();
    assert!(times[0] > Timestamp(0) && times.is_sorted());
}
