//! The provider's webhooks on their way: twice, late, in another order, refused and sent again; and
//! forged ones among them, which nobody may take.

use std::sync::{Arc, Weak};
use std::time::Duration;

use api::payments::webhook_signature;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::World;
use super::machine::WEBHOOK_SECRET;
use crate::gateway::Letter;
use crate::platform::world_now_ms;
use crate::seed::Stream;

/// More tries than an order has.
const ATTEMPT_OF_A_TEST: u8 = 99;
/// How often a webhook is sent that nobody takes.
const TRIES: u64 = 20;
/// What a forged one claims.
const LIES: [&str; 5] = [
    "authorized",
    "captured",
    "cancelled",
    "refunded",
    "declined",
];

/// Delivers letters until the provider closes; none at all when the run has no webhooks.
pub async fn deliver(world: Weak<World>, mut letters: mpsc::UnboundedReceiver<Letter>) {
    let mut number = 0;
    while let Some(letter) = letters.recv().await {
        let Some(world) = world.upgrade() else { return };
        let bad = world.scenario.webhook_fault_percent;
        if bad == 0 {
            continue;
        }
        number += 1;
        let name = format!("webhook {number}");
        let chance = Arc::new(Stream::new(world.scenario.entropy, &name));
        let twice = chance.percent(bad);
        if twice {
            world.tally.count("35 a webhook comes twice");
        }
        for _ in 0..1 + u64::from(twice) {
            let mut wait_ms = chance.between(1, 200);
            if chance.percent(bad) {
                wait_ms = chance.between(500, 60_000);
                world.tally.count("35 a webhook is late");
            }
            let (world, letter, chance) = (world.clone(), letter.clone(), chance.clone());
            let id = format!("evt_{number}");
            tokio::spawn(async move {
                wait(&world, wait_ms).await;
                insist(&world, &id, &letter, &chance).await;
            });
        }
        if chance.percent(bad / 2) {
            let lie = LIES[chance.below(5) as usize];
            let forged = Letter {
                kind: lie,
                ..letter.clone()
            };
            tokio::spawn(forge(world.clone(), forged, chance.clone()));
        }
        if chance.percent(bad / 3) {
            let test = Letter {
                attempt: Some(ATTEMPT_OF_A_TEST),
                ..letter
            };
            tokio::spawn(send_test(world.clone(), test, chance));
        }
    }
}

/// Lets time pass, but nobody is late once the world has healed.
async fn wait(world: &World, ms: u64) {
    let mut left = ms;
    while left > 0 && !world.provider.is_healed() {
        let piece = left.min(500);
        tokio::time::sleep(Duration::from_millis(piece)).await;
        left -= piece;
    }
}

/// A provider has patience for days; it counts its tries once all is well.
async fn insist(world: &World, id: &str, letter: &Letter, chance: &Stream) {
    let mut tries = 0;
    while tries < TRIES {
        tries += u64::from(world.provider.is_healed());
        if send(world, id, letter, WEBHOOK_SECRET, chance).await == Some(200) {
            world.tally.count("35 a webhook is taken");
            return;
        }
        tokio::time::sleep(Duration::from_millis(chance.between(200, 3_000))).await;
    }
}

/// What a provider sends when somebody tries its settings out: signed as it should be, about a try
/// that nobody made. It may be taken, and changes nothing.
async fn send_test(world: Arc<World>, letter: Letter, chance: Arc<Stream>) {
    tokio::time::sleep(Duration::from_millis(chance.between(1, 3_000))).await;
    if send(&world, "evt_test", &letter, WEBHOOK_SECRET, &chance).await == Some(200) {
        world.tally.count("35 a test webhook is taken");
    }
}

async fn forge(world: Arc<World>, letter: Letter, chance: Arc<Stream>) {
    tokio::time::sleep(Duration::from_millis(chance.between(1, 3_000))).await;
    match send(&world, "evt_forged", &letter, "whsec_guessed", &chance).await {
        Some(200..=299) => world.alarm(
            "forged_webhooks_are_refused",
            format!("`{}` of {} was taken", letter.kind, letter.order),
        ),
        Some(400..=499) => world.tally.count("35 a forged webhook is refused"),
        _ => {}
    }
}

async fn send(
    world: &World,
    id: &str,
    letter: &Letter,
    secret: &str,
    chance: &Stream,
) -> Option<u16> {
    let body = json!({
        "id": id, "type": letter.kind, "order": letter.order, "key": letter.key,
        "reference": letter.reference, "attempt": letter.attempt,
    })
    .to_string();
    let signature = webhook_signature(secret.as_bytes(), world_now_ms() / 1_000, body.as_bytes());
    let request = Request::post("/webhooks/payments/sandbox")
        .header("content-type", "application/json")
        .header("usher-signature", signature)
        .body(Full::from(body))
        .expect("a well formed request");
    let alive = world.somebody(chance.next())?;
    let (reply, answer) = oneshot::channel();
    alive.inbox.send((request, reply)).await.ok()?;
    let answer = tokio::time::timeout(Duration::from_secs(10), answer).await;
    Some(answer.ok()?.ok()?.status)
}
