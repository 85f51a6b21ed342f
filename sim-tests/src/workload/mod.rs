//! The people: an organizer who creates the event and runs its sale, buyers who queue, look
//! around, reserve, dither and pay, and some who try what they must not.
//!
//! | file | what |
//! |---|---|
//! | `person.rs` | people and errands, as data |
//! | `draw.rs` | drawing them from a seed |
//! | `show.rs` | creating the event |
//! | `buyer.rs` | a buyer's way from the door to the ticket |
//! | `aside.rs` | what is done besides: looking, operating |
//! | `tug.rs` | one order through several doors, while its seats come free |
//! | `abuse.rs` | what must be refused |

mod abuse;
mod aside;
mod buyer;
mod draw;
mod person;
mod show;
mod tug;

pub use buyer::{buyer, read_yes};
pub use person::{Aside, Errand, Person, Role, Then, Wish};
pub use show::{Board, Show, create_show};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// Which errand or aside calls an operation of `api/src/routes.rs`.
    const CALLED: [(&str, &str); 24] = [
        ("/api/v1/events", "create_show, CreateAgain, ListEvents"),
        ("/api/v1/events/{id}", "LookAtEvent"),
        ("/api/v1/events/{id}/seats", "LookAtSeats"),
        ("/api/v1/events/{id}/sale", "PauseFor, Rate"),
        ("/api/v1/events/{id}/queue", "LookAtQueue"),
        ("/api/v1/queue/join", "wait_in_line, JoinAgain"),
        ("/api/v1/queue/status", "wait_in_line"),
        ("/api/v1/queue/proof", "Proof"),
        ("/api/v1/seats/reserve", "reserve"),
        ("/api/v1/orders", "MyOrders"),
        ("/api/v1/tickets", "MyTickets"),
        ("/api/v1/events/{id}/feed", "Feed"),
        ("/api/v1/orders/{id}", "reread"),
        ("/api/v1/orders/{id}/pay", "pay"),
        ("/api/v1/orders/{id}/hold", "give_back"),
        ("/api/v1/orders/{id}/refund", "Refund"),
        ("/api/v1/tickets/{id}", "collect"),
        ("/api/v1/tickets/{id}/qr.svg", "collect"),
        ("/.well-known/usher-ticket-keys.json", "TicketKeys"),
        ("/webhooks/payments/{gateway}", "ForgedWebhook"),
        ("/dev/token", "sign_in"),
        ("/livez", "Probes"),
        ("/readyz", "Probes"),
        ("/metrics", "Probes"),
    ];

    #[test]
    fn every_route_of_the_sale_is_called_by_somebody() {
        let routes = include_str!("../../../api/src/routes.rs");
        let quoted = routes.split('"').skip(1).step_by(2);
        for route in quoted.filter(|text| text.starts_with('/') && *text != "/docs") {
            let called = CALLED.iter().any(|(known, _)| *known == route);
            assert!(called || route == "/openapi.json", "nobody calls {route}");
        }
    }

    #[test]
    fn everything_that_people_can_do_is_drawn_within_two_hundred_seeds() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 1..=200 {
            for person in Person::all(&Scenario::new(seed)) {
                let text = serde_json::to_string(&person).expect("plain data");
                let again: Person = serde_json::from_str(&text).expect("what was written");
                assert_eq!(again, person);
                for errand in &person.errands {
                    seen.insert(name(&format!("{:?}", errand.wish)));
                    seen.insert(name(&format!("{:?}", errand.then)));
                    for aside in &errand.asides {
                        seen.insert(name(&format!("{aside:?}")));
                    }
                }
            }
        }
        let source = include_str!("person.rs");
        let variant = |line: &str| {
            let line = line.strip_prefix("    ")?;
            let first = line.chars().next()?;
            first.is_ascii_uppercase().then(|| name(line))
        };
        let all: Vec<_> = source.lines().filter_map(variant).collect();
        assert!(all.len() > 30);
        for variant in all
            .iter()
            .filter(|name| !["Buyer", "Organizer"].contains(&name.as_str()))
        {
            assert!(seen.contains(variant), "{variant} is never drawn");
        }
    }

    fn name(text: &str) -> String {
        text.chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect()
    }
}
