//! Lists and feeds over HTTP: who may ask, what they are told, and what is said while a node has
//! no history to tell.

mod support;

use std::sync::Arc;

use api::backend::Backend;
use api::history::{FeedLine, FeedPage, History, HistoryError, Listing, OrderLine, SeatHistory};
use ledger::change::{Change, Moved, OrderRef};
use ledger::outcome::Places;
use ledger::seat_list::SeatList;
use ledger::tickets::{Ticket, TicketState};
use ledger::*;
use serde_json::json;
use support::Door;

/// One order of one buyer, in shard 1.
struct Told {
    order: OrderRef,
}

impl Told {
    fn section(&self) -> SectionKey {
        SectionKey {
            event: self.order.event,
            section: SectionNo(0),
        }
    }
}

impl History for Told {
    fn orders_of(&self, buyer: BuyerId, _: usize) -> Result<Listing<OrderLine>, HistoryError> {
        let OrderRef { order, event, .. } = self.order;
        let line = OrderLine {
            order,
            event,
            at: Timestamp(1_000),
            closed: None,
        };
        let lines = if buyer == self.order.buyer {
            vec![line]
        } else {
            vec![]
        };
        Ok(Listing {
            lines,
            complete: true,
        })
    }

    fn tickets_of(&self, buyer: BuyerId, _: usize) -> Result<Listing<Ticket>, HistoryError> {
        let ticket = Ticket {
            id: TicketId::new(ShardId(1), 8),
            order: self.order.order,
            leg: 0,
            ordinal: 0,
            buyer,
            section: self.section(),
            seat: Some(SeatNo(1)),
            state: TicketState::Void,
        };
        Ok(Listing {
            lines: vec![ticket],
            complete: false,
        })
    }

    fn seat_history(
        &self,
        _: ShardId,
        _: SectionKey,
        _: SeatNo,
        _: Option<u64>,
        _: usize,
    ) -> Result<SeatHistory, HistoryError> {
        Err(HistoryError::NotReady)
    }

    fn feed(&self, _: ShardId, from: u64, _: usize) -> Result<FeedPage, HistoryError> {
        let order = self.order;
        let foreign = OrderRef {
            event: EventId(404),
            ..order
        };
        let seats = SeatList::new(&[SeatNo(1)]).expect("one seat");
        let moved = Moved {
            leg: LegKey {
                order: order.order,
                leg: 0,
            },
            buyer: order.buyer,
            section: self.section(),
            places: Places::Seats(seats),
        };
        let changes = [
            Change::OrderOpened { order },
            Change::SeatsHeld(moved),
            Change::OrderOpened { order: foreign },
            Change::OrderPaid {
                order,
                amount: 9_000,
            },
            Change::OrderOpened { order: foreign },
        ];
        let line = |(number, change)| FeedLine {
            number,
            index: 4,
            at: Timestamp(2_000),
            change,
        };
        let lines = (3..)
            .zip(changes)
            .filter(|(number, _)| *number >= from)
            .map(line);
        Ok(FeedPage {
            first: 3,
            end: 8,
            rebuilt: true,
            lines: lines.collect(),
        })
    }
}

#[tokio::test]
async fn lists_and_feeds_are_told_to_whom_they_concern_once_there_is_a_history() {
    let door = Door::open().await;
    let event = door.event(|_| ()).await;
    let ann = door.token("ann", "buyer").await;
    let bob = door.token("bob", "buyer").await;
    let olga = door.token("olga", "organizer").await;
    let other = door.token("otto", "organizer").await;
    let feed = format!("/api/v1/events/{event}/feed");
    door.get("/api/v1/orders", &ann)
        .await
        .refused(503, "NOT_READY");
    door.get(&format!("{feed}?shard=1"), &olga)
        .await
        .refused(503, "NOT_READY");

    let want = json!({"event_id": event, "seat_ids": ["A-1-2"]});
    let order = door
        .post("/api/v1/seats/reserve", &ann, want)
        .await
        .expect(201);
    let id = |text: &str| uuid::Uuid::parse_str(text).expect("a UUID").as_u128();
    let order = OrderId(id(order["order_id"].as_str().expect("an id")));
    let buyer = buyer_of(&*door.state.backend, order).expect("the order is at its home");
    let order = OrderRef {
        order,
        event: EventId(id(&event)),
        buyer,
    };
    let set = door.state.history.set(Arc::new(Told { order }));
    assert!(set.is_ok());

    let mine = door.get("/api/v1/orders", &ann).await.expect(200);
    assert_eq!(mine["complete"], json!(true));
    assert_eq!(mine["orders"][0]["status"], json!("pending"));
    let none = door.get("/api/v1/orders?limit=5", &bob).await.expect(200);
    assert_eq!(none["orders"], json!([]));
    let tickets = door.get("/api/v1/tickets", &ann).await.expect(200);
    assert_eq!(tickets["tickets"][0]["seat_id"], json!("A-1-2"));
    assert_eq!(tickets["tickets"][0]["status"], json!("void"));
    assert_eq!(tickets["complete"], json!(false));

    let page = door
        .get(&format!("{feed}?shard=1&from=1"), &olga)
        .await
        .expect(200);
    assert_eq!(
        (&page["first"], &page["next"], &page["end"]),
        (&json!(3), &json!(8), &json!(8))
    );
    let facts = page["facts"].as_array().expect("facts");
    let told: Vec<_> = facts
        .iter()
        .map(|fact| (&fact["number"], &fact["type"]))
        .collect();
    let (opened, held, paid) = (
        json!("order_opened"),
        json!("seats_held"),
        json!("order_paid"),
    );
    assert_eq!(
        told,
        [(&json!(3), &opened), (&json!(4), &held), (&json!(6), &paid)]
    );
    assert_eq!(facts[1]["seats"], json!(["A-1-2"]));

    // Refusals: roles, other people's events, nonsense.
    door.get("/api/v1/orders", &olga)
        .await
        .refused(403, "FORBIDDEN");
    door.get("/api/v1/orders", "")
        .await
        .refused(401, "UNAUTHENTICATED");
    door.get(&format!("{feed}?shard=1"), &ann)
        .await
        .refused(403, "FORBIDDEN");
    door.get(&format!("{feed}?shard=1"), &other)
        .await
        .refused(403, "FORBIDDEN");
    for query in [
        "",
        "?shard=0",
        "?shard=99",
        "?shard=1&limit=0",
        "?shard=1&limit=1001",
        "?shard=1&x=1",
    ] {
        door.get(&format!("{feed}{query}"), &olga)
            .await
            .refused(400, "QUERY_INVALID");
    }
    for query in ["?limit=0", "?limit=-1", "?limit=x", "?page=2"] {
        door.get(&format!("/api/v1/tickets{query}"), &ann)
            .await
            .refused(400, "QUERY_INVALID");
    }
}

fn buyer_of(backend: &dyn Backend, order: OrderId) -> Option<BuyerId> {
    let mut buyer = None;
    backend.read(order.home(), &mut |ledger, _| {
        buyer = ledger.order(order).map(|order| order.buyer);
    });
    buyer
}
