//! One buyer: gets a token, joins, waits, reserves, sometimes changes their mind, pays, fetches
//! the tickets and checks them. A pass is worth one session (P7), so a buyer who comes back is
//! another person.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::books::Grant;
use super::door::{Patience, Served, Unanswered};
use super::messages::{Joined, Order, PayAnswer, QueueStatus, Refused, Reserved, Ticket, Token};
use super::sale::{READ, Sale, now_ms};
use super::shopping::{Wish, choose};
use crate::audit_client::claims::Places;
use crate::audit_client::{Promise, Told};
use crate::dice::Dice;
use crate::http_client::{Request, bearer};

/// For what changes something.
const WRITE: Patience = Patience {
    attempt: Duration::from_secs(8),
    total: Duration::from_secs(30),
};
/// For paying: the door itself waits up to 10 s for the provider.
const PAY: Patience = Patience {
    attempt: Duration::from_secs(15),
    total: Duration::from_secs(60),
};
/// Reservations tried in one session.
const TRIES: usize = 6;
/// Answers `processing` before a buyer stops asking.
const PAY_ROUNDS: usize = 60;
const TICKET_ROUNDS: usize = 40;

/// What a buyer does with a hold, in percent of all.
const CANCELS: u8 = 3;
const LEAVES: u8 = 2;
const CARD_DECLINED: u8 = 3;

/// A buyer through one session.
struct Session<'a> {
    sale: &'a Sale,
    dice: Dice,
    /// The node asked first.
    home: usize,
    subject: String,
    headers: String,
    queue_token: String,
    position: Option<u64>,
}

/// A buyer who comes back, as other people, until nothing is left.
pub async fn shop(sale: Arc<Sale>, number: usize, seed: u64) {
    for visit in 0.. {
        if sale.over() {
            return;
        }
        let mut dice = Dice::seeded(seed ^ (number as u64) << 32 ^ visit);
        if visit > 0 {
            sale.until(|sale| sale.counts().available > 0).await;
            pause(&mut dice, 10, 100).await;
        }
        let mut session = Session {
            sale: &sale,
            dice,
            home: number % sale.doors.count(),
            subject: format!("buyer-{number}-{visit}"),
            headers: String::new(),
            queue_token: String::new(),
            position: None,
        };
        if session.enter().await.is_none() {
            // Refused or unanswered: not again at once.
            pause(&mut session.dice, 200, 600).await;
            continue;
        }
        if session.wait_for_turn().await.is_some()
            && let Some(entry) = session.reserve().await
        {
            session.decide(entry).await;
        }
    }
}

impl Session<'_> {
    /// Gets a token and joins the waiting room.
    async fn enter(&mut self) -> Option<()> {
        let body = json!({"subject": self.subject, "role": "buyer"}).to_string();
        let request = Request::post("/dev/token", body.as_bytes());
        let token: Token = self.expect(200, "token", &request, WRITE).await?;
        self.headers = bearer(&token.token);
        let joined = self.join().await?;
        self.sale.books().joined();
        if let Some(position) = joined.queue_position {
            self.sale.books().place_learned(position);
        }
        (self.queue_token, self.position) = (joined.queue_token, joined.queue_position);
        if self.dice.percent(2) {
            // Joining twice must not make a second place.
            if let (Some(again), Some(before)) = (
                self.join().await.and_then(|again| again.queue_position),
                self.position,
            ) && again != before
            {
                let what = format!("{} joined twice: places {before}, {again}", self.subject);
                self.sale.books().seen.broken(Promise::P6, what);
            }
        }
        Some(())
    }

    async fn join(&self) -> Option<Joined> {
        let path = format!("/api/v1/queue/join?event_id={}", self.sale.event);
        let headers = format!("{}Idempotency-Key: join-{}\r\n", self.headers, self.subject);
        let request = Request::post(&path, b"").with_headers(&headers);
        self.expect(200, "join", &request, WRITE).await
    }

    /// Looks at the public page until it is this place's turn, then asks for admission.
    async fn wait_for_turn(&mut self) -> Option<()> {
        let headers = bearer(&self.queue_token);
        loop {
            let position = self.position;
            let near = |sale: &Sale| {
                let queue = sale.queue();
                match position {
                    None => sale.is_known() && !queue.state.is_empty() && queue.state != "lobby",
                    Some(position) => queue.admitted >= position || sale.counts().available == 0,
                }
            };
            self.sale.until(near).await;
            if self.sale.over() {
                return None;
            }
            let request = Request::get("/api/v1/queue/status").with_headers(&headers);
            let status: QueueStatus = self.expect(200, "status", &request, READ).await?;
            let known_before = self.position.is_some();
            if let Some(now) = status.queue_position {
                match self.position {
                    None => self.sale.books().place_learned(now),
                    Some(before) => self.sale.books().place_moved(before, now),
                }
                self.position = Some(now);
            }
            match status.status.as_str() {
                "admitted" => return Some(()),
                // The place was news: the public page tells when to ask again.
                "waiting" if !known_before && self.position.is_some() => {}
                // The page is ahead of the node that was asked, but not for long.
                "waiting" => pause(&mut self.dice, 50, 250).await,
                other => {
                    self.sale.books().refused("status", 200, other);
                    pause(&mut self.dice, 300, 900).await;
                    return None;
                }
            }
        }
    }

    /// Tries to get seats. The record's entry of the order, if it got one.
    async fn reserve(&mut self) -> Option<usize> {
        let mut alternatives = Vec::new();
        for attempt in 0..TRIES {
            self.sale.pace.turn().await;
            if self.sale.over() {
                return None;
            }
            let wish = match take_some(&mut alternatives, &mut self.dice) {
                Some(wish) => Some(wish),
                None => choose(&self.sale.map(), &mut self.dice),
            };
            let Some(wish) = wish else {
                pause(&mut self.dice, 200, 500).await;
                continue;
            };
            let served = match self.ask_for(&wish, attempt).await {
                Ok(served) => served,
                Err(unanswered) => {
                    let mut books = self.sale.books();
                    books.reserves_unanswered += u64::from(unanswered == Unanswered::Unknown);
                    books.refused("reserve", 0, "unanswered");
                    continue;
                }
            };
            self.sale.books().reserve_answered(served.waited);
            if served.answer.status == 201 {
                return self.granted(&served);
            }
            let refused: Refused = served.answer.json().unwrap_or_default();
            self.sale
                .books()
                .refused("reserve", served.answer.status, &refused.error);
            if served.answer.status == 403 {
                return None;
            }
            alternatives = refused.available_alternatives;
            pause(&mut self.dice, 20, 60 << attempt).await;
        }
        None
    }

    async fn ask_for(&self, wish: &Wish, attempt: usize) -> Result<Served, Unanswered> {
        let body = wish.body(&self.sale.event, &self.queue_token).to_string();
        let headers = format!(
            "{}Idempotency-Key: {}-{attempt}\r\n",
            self.headers, self.subject
        );
        let request =
            Request::post("/api/v1/seats/reserve", body.as_bytes()).with_headers(&headers);
        self.sale.doors.call(self.home, &request, WRITE).await
    }

    fn granted(&self, served: &Served) -> Option<usize> {
        let answered_ms = now_ms();
        let reserved: Reserved = match served.answer.json() {
            Ok(reserved) => reserved,
            Err(error) => {
                let what = format!("a granted reservation cannot be read: {error}");
                self.sale.books().seen.broken(Promise::P3, what);
                return None;
            }
        };
        let mut places = Places::default();
        for place in reserved.seats {
            match place.seat_id {
                Some(seat) => places.seats.push(seat),
                None => places
                    .standing
                    .push((place.section, place.count.unwrap_or(1))),
            }
        }
        let held_until_ms = match reserved.held_until.parse::<jiff::Timestamp>() {
            Ok(until) => until.as_millisecond(),
            Err(_) => answered_ms,
        };
        Some(self.sale.books().granted(Grant {
            order: reserved.order_id,
            event: self.sale.event.clone(),
            places,
            amount: reserved.price.amount,
            headers: self.headers.clone(),
            held_until_ms,
            answered_ms,
        }))
    }

    /// Pays, mostly.
    async fn decide(&mut self, entry: usize) {
        let counts = self.sale.counts();
        // Nobody walks off late in the sale: everybody else would have to wait for the deadline.
        let early = counts.available * 2 > counts.capacity;
        if self.dice.percent(LEAVES) && early {
            return;
        }
        if self.dice.percent(CANCELS) {
            return self.cancel(entry).await;
        }
        if self.dice.percent(CARD_DECLINED) {
            self.sale.books().may_end(entry);
            self.pay(entry, "pm_decline").await;
            let over = self.sale.books().entries()[entry].claim.told == Told::Over;
            if over {
                return;
            }
            if self.dice.percent(50) {
                return self.cancel(entry).await;
            }
        }
        self.pay(entry, "pm_ok").await;
        self.fetch_tickets(entry).await;
    }

    async fn cancel(&mut self, entry: usize) {
        let order = self.order_id(entry);
        self.sale.books().may_end(entry);
        let path = format!("/api/v1/orders/{order}/hold");
        let request = Request {
            method: "DELETE",
            path: &path,
            headers: &self.headers,
            body: b"",
        };
        match self.sale.doors.call(self.home, &request, WRITE).await {
            Ok(served) if served.answer.status == 200 => {
                self.sale.books().told(entry, Told::Cancelled);
            }
            Ok(served) => {
                let (status, code) = (served.answer.status, served.answer.problem());
                self.sale.books().refused("cancel", status, &code);
                self.sale.books().told(entry, Told::Unknown);
            }
            Err(_) => self.sale.books().told(entry, Told::Unknown),
        }
    }

    /// Asks to pay until the outcome is known or patience ends.
    async fn pay(&mut self, entry: usize, method: &str) {
        let order = self.order_id(entry);
        self.sale.books().told(entry, Told::Unknown);
        let path = format!("/api/v1/orders/{order}/pay");
        let body = json!({ "payment_method": method }).to_string();
        let request = Request::post(&path, body.as_bytes()).with_headers(&self.headers);
        for _ in 0..PAY_ROUNDS {
            let Ok(served) = self.sale.doors.call(self.home, &request, PAY).await else {
                return;
            };
            let answer = served.answer;
            match answer.status {
                200 | 202 => match answer.json::<PayAnswer>() {
                    Ok(paid) if paid.status == "paid" => {
                        let told = Told::Paid {
                            tickets: paid.ticket_ids,
                        };
                        return self.sale.books().told(entry, told);
                    }
                    _ => pause(&mut self.dice, 200, 600).await,
                },
                402 => {
                    self.sale.books().refused("pay", 402, &answer.problem());
                    // Held again, or over after the last attempt: its state tells.
                    return self.look(entry).await;
                }
                status => {
                    self.sale.books().refused("pay", status, &answer.problem());
                    return self.look(entry).await;
                }
            }
        }
    }

    /// Asks where the order stands, and notes it.
    async fn look(&mut self, entry: usize) {
        let told = order_state(self.sale, self.home, entry).await;
        if let Some(told) = told {
            self.sale.books().told(entry, told);
        }
    }

    async fn fetch_tickets(&mut self, entry: usize) {
        let tickets = match &self.sale.books().entries()[entry].claim.told {
            Told::Paid { tickets } => tickets.clone(),
            _ => return,
        };
        check_tickets(self.sale, self.home, entry, &tickets).await;
    }

    fn order_id(&self, entry: usize) -> String {
        self.sale.books().entries()[entry].claim.order.clone()
    }

    /// A call whose answer must have this status and shape; anything else is noted.
    async fn expect<T: serde::de::DeserializeOwned>(
        &self,
        status: u16,
        what: &str,
        request: &Request<'_>,
        patience: Patience,
    ) -> Option<T> {
        match self.sale.doors.call(self.home, request, patience).await {
            Ok(served) if served.answer.status == status => match served.answer.json() {
                Ok(answer) => Some(answer),
                Err(error) => {
                    self.sale.books().refused(what, status, &error.to_string());
                    None
                }
            },
            Ok(served) => {
                let code = served.answer.problem();
                self.sale.books().refused(what, served.answer.status, &code);
                None
            }
            Err(_) => {
                self.sale.books().refused(what, 0, "unanswered");
                None
            }
        }
    }
}

/// Where an order stands by its own resource; `None` when nobody answers.
pub async fn order_state(sale: &Sale, home: usize, entry: usize) -> Option<Told> {
    let (order, headers) = {
        let books = sale.books();
        let entry = &books.entries()[entry];
        (entry.claim.order.clone(), entry.headers.clone())
    };
    let path = format!("/api/v1/orders/{order}");
    let request = Request::get(&path).with_headers(&headers);
    let served = sale.doors.call(home, &request, READ).await.ok()?;
    if served.answer.status != 200 {
        sale.books()
            .refused("order", served.answer.status, &served.answer.problem());
        return None;
    }
    let order: Order = served.answer.json().ok()?;
    Some(match order.status.as_str() {
        "paid" => Told::Paid {
            tickets: order.ticket_ids,
        },
        "pending" => Told::Held,
        "processing" => Told::Unknown,
        "cancelled" => Told::Cancelled,
        _ => Told::Over,
    })
}

/// Fetches an order's tickets and checks each signature; what does not verify breaks P2.
pub async fn check_tickets(sale: &Sale, home: usize, entry: usize, tickets: &[String]) {
    let (order, headers) = {
        let books = sale.books();
        let entry = &books.entries()[entry];
        (entry.claim.order.clone(), entry.headers.clone())
    };
    for ticket in tickets {
        let verdict = check_ticket(sale, home, ticket, &order, &headers).await;
        let mut books = sale.books();
        match verdict {
            Ok(()) => books.tickets_verified += 1,
            Err(why) => {
                books.seen.broken(
                    Promise::P2,
                    format!("ticket {ticket} of order {order}: {why}"),
                );
            }
        }
    }
}

async fn check_ticket(
    sale: &Sale,
    home: usize,
    ticket: &str,
    order: &str,
    headers: &str,
) -> Result<(), String> {
    let path = format!("/api/v1/tickets/{ticket}");
    let request = Request::get(&path).with_headers(headers);
    let mut last = String::new();
    for _ in 0..TICKET_ROUNDS {
        match sale.doors.call(home, &request, READ).await {
            Ok(served) if served.answer.status == 200 => {
                let ticket: Ticket = served.answer.json().map_err(|error| error.to_string())?;
                let verdict = sale.keys.verify(&ticket, order, &sale.event);
                return verdict.map_err(|invalid| invalid.to_string());
            }
            Ok(served) => last = format!("{} {}", served.answer.status, served.answer.problem()),
            Err(_) => "unanswered".clone_into(&mut last),
        }
        // The node asked may be a moment behind the one that sold it.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(last)
}

/// Some of the alternatives that a refusal offered; half of the buyers take them.
fn take_some(alternatives: &mut Vec<String>, dice: &mut Dice) -> Option<Wish> {
    if alternatives.is_empty() || dice.percent(50) {
        return None;
    }
    let count = (1 + dice.index(4)).min(alternatives.len());
    let seats = alternatives.drain(..count).collect();
    alternatives.clear();
    Some(Wish::Places {
        seats,
        standing: None,
    })
}

async fn pause(dice: &mut Dice, from_ms: u64, to_ms: u64) {
    let ms = from_ms + dice.below(to_ms.saturating_sub(from_ms).max(1));
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
