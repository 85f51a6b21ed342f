//! A payment provider on a bad day: slow, declining, deaf. Its answers are lost after the deed, its
//! errors are stored under their key and answered again, its deeds happen long after the caller has
//! gone, and a call whose twin is under way is refused. A card called `pm_declined` is, and
//! `pm_silent` gets no answer at first. Idempotent by key, like a real one.
//!
//! Its book and its work are outside of every node and survive them all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use api::payments::{GatewayAnswer, LookUp, PaymentCall, PaymentGateway, ProviderState};
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::fault::Tally;
use crate::scenario::Scenario;
use crate::seed::Stream;

/// How long a node waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Percent of calls that never get there, on every day but a healed one.
const UNHEARD_PERCENT: u64 = 3;

/// Percent of refusals that somebody at the provider looks at again.
const SECOND_THOUGHTS_PERCENT: u64 = 15;

/// One payment in the provider's book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The authorization's idempotency key.
    pub key: String,
    /// The order it is for.
    pub order: String,
    /// Minor units.
    pub amount: u64,
    /// Where it stands.
    pub state: ProviderState,
    /// How often money was taken. More than once is a promise broken.
    pub captures: u64,
    /// How often money went back.
    pub refunds: u64,
}

/// What the provider tells by itself, once a payment has changed.
#[derive(Clone, Debug)]
pub struct Letter {
    /// `authorized`, `captured`, `cancelled`, `refunded` or `declined`.
    pub kind: &'static str,
    /// Our order.
    pub order: String,
    /// The idempotency key of the call that changed it.
    pub key: String,
    /// The provider's id of the payment.
    pub reference: String,
    /// Which try, when the key does not tell.
    pub attempt: Option<u8>,
}

/// What comes in and what goes out.
pub struct Post {
    calls: Calls,
    letters: mpsc::UnboundedReceiver<Letter>,
}

/// Calls to be worked on.
pub struct Calls(mpsc::UnboundedReceiver<Request>);

impl Post {
    /// The calls, and the letters to sellers.
    pub fn split(self) -> (Calls, mpsc::UnboundedReceiver<Letter>) {
        (self.calls, self.letters)
    }
}

struct Request {
    step: Step,
    call: PaymentCall,
    reply: oneshot::Sender<GatewayAnswer>,
}

/// How bad the day is.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    unheard_percent: u64,
    lost_answer_percent: u64,
    stored_error_percent: u64,
    late_deed_percent: u64,
    second_thoughts_percent: u64,
}

/// The provider.
pub struct Provider {
    book: Mutex<BTreeMap<String, Payment>>,
    chance: Stream,
    decline_percent: u64,
    day: Mutex<Day>,
    tally: Arc<Tally>,
    calls: mpsc::UnboundedSender<Request>,
    letters: mpsc::UnboundedSender<Letter>,
    desk: Mutex<Desk>,
    watch: OnceLock<Watch>,
}

/// Told of a node, and the order it asks the money of.
pub type Watch = Box<dyn Fn(usize, &str) + Send + Sync>;

/// What is under way.
#[derive(Default)]
struct Desk {
    /// Calls being worked on, by step and key.
    twins: BTreeMap<(Step, String), ()>,
    /// Payments that such a call may change, and how many do.
    payments: BTreeMap<String, u32>,
    /// Errors, by step and key, and until when they are answered again.
    stored: BTreeMap<(Step, String), Instant>,
}

impl Provider {
    /// A provider with an empty book, and its post.
    pub fn new(scenario: &Scenario, tally: Arc<Tally>) -> (Arc<Self>, Post) {
        let (calls, to_do) = mpsc::unbounded_channel();
        let (letters, written) = mpsc::unbounded_channel();
        let day = Day {
            unheard_percent: UNHEARD_PERCENT,
            lost_answer_percent: scenario.lost_answer_percent,
            stored_error_percent: scenario.stored_error_percent,
            late_deed_percent: scenario.late_deed_percent,
            // Nobody hears of them where there are no letters.
            second_thoughts_percent: match scenario.webhook_fault_percent {
                0 => 0,
                _ => SECOND_THOUGHTS_PERCENT,
            },
        };
        let provider = Arc::new(Self {
            book: Mutex::new(BTreeMap::new()),
            chance: Stream::new(scenario.entropy, "provider"),
            decline_percent: scenario.decline_percent,
            day: Mutex::new(day),
            tally,
            calls,
            letters,
            desk: Mutex::default(),
            watch: OnceLock::new(),
        });
        let post = Post {
            calls: Calls(to_do),
            letters: written,
        };
        (provider, post)
    }

    /// Has somebody told of every call that asks for money to be taken, when it is made.
    pub fn watch_captures(&self, watch: Watch) {
        let fresh = self.watch.set(watch).is_ok();
        assert!(fresh, "one watches");
    }

    /// Works on calls, each beside the others, whatever becomes of their callers.
    pub async fn work(self: Arc<Self>, mut calls: Calls) {
        while let Some(request) = calls.0.recv().await {
            tokio::spawn(self.clone().serve(request));
        }
    }

    /// From here on it is a good day.
    pub fn heal(&self) {
        *self.day.lock().expect(POISONED) = Day::default();
        self.desk().stored.clear();
    }

    /// Whether the day is a good one.
    pub fn is_healed(&self) -> bool {
        self.day().unheard_percent == 0
    }

    fn day(&self) -> Day {
        *self.day.lock().expect(POISONED)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect(POISONED)
    }

    /// All payments, by reference.
    pub fn book(&self) -> MutexGuard<'_, BTreeMap<String, Payment>> {
        self.book
            .lock()
            .expect("the book is written without panicking")
    }

    fn authorize(&self, call: &PaymentCall) -> GatewayAnswer {
        let reference = payment_of(call);
        let declines = call.method == "pm_declined" || self.chance.percent(self.decline_percent);
        let mut book = self.book();
        let new = !book.contains_key(&reference);
        let payment = book.entry(reference.clone()).or_insert_with(|| Payment {
            key: call.key.clone(),
            order: call.order.clone(),
            amount: call.amount,
            state: match declines {
                true => ProviderState::Declined,
                false => ProviderState::Authorized,
            },
            captures: 0,
            refunds: 0,
        });
        assert_eq!(
            (&payment.order, payment.amount),
            (&call.order, call.amount),
            "an idempotency key was used for something else"
        );
        if new {
            self.write(payment.state, call, &reference);
        }
        match payment.state {
            ProviderState::Declined => {
                self.tally.count("34 a card is declined");
                GatewayAnswer::Refused {
                    reason: "declined".to_owned(),
                }
            }
            _ => GatewayAnswer::Done { reference },
        }
    }

    fn settle(&self, call: &PaymentCall, step: Step) -> GatewayAnswer {
        use ProviderState::*;
        let mut book = self.book();
        let reference = payment_of(call);
        let Some(payment) = book.get_mut(&reference) else {
            return GatewayAnswer::Refused {
                reason: "no such payment".to_owned(),
            };
        };
        let next = match (step, payment.state) {
            (Step::Capture, Authorized) => {
                payment.captures += 1;
                Captured
            }
            (Step::Cancel, Authorized) => Cancelled,
            (Step::Refund, Captured) => {
                payment.refunds += 1;
                Refunded
            }
            (Step::Capture, Captured)
            | (Step::Cancel, Cancelled | Declined)
            | (Step::Refund, Refunded) => payment.state,
            (_, state) => {
                return GatewayAnswer::Refused {
                    reason: format!("{state:?}"),
                };
            }
        };
        if payment.state != next {
            payment.state = next;
            self.write(next, call, &reference);
        }
        GatewayAnswer::Done { reference }
    }

    fn write(&self, state: ProviderState, call: &PaymentCall, reference: &str) {
        let kind = match state {
            ProviderState::Authorized => "authorized",
            ProviderState::Captured => "captured",
            ProviderState::Cancelled => "cancelled",
            ProviderState::Refunded => "refunded",
            ProviderState::Declined => "declined",
        };
        let letter = Letter {
            kind,
            order: call.order.clone(),
            key: call.key.clone(),
            reference: reference.to_owned(),
            attempt: None,
        };
        // Nobody may want letters.
        let _ = self.letters.send(letter);
    }

    async fn serve(self: Arc<Self>, request: Request) {
        let Request { step, call, reply } = request;
        let (twin, payment) = ((step, call.key.clone()), payment_of(&call));
        let answer = {
            let mut desk = self.desk();
            let fresh = desk.twins.insert(twin.clone(), ()).is_none();
            if fresh {
                *desk.payments.entry(payment.clone()).or_default() += 1;
            }
            fresh
        };
        if !answer {
            self.tally
                .count("34 a call is refused while its twin is under way");
            let _ = reply.send(GatewayAnswer::Unknown);
            return;
        }
        let answer = self.answer(step, &call).await;
        {
            let mut desk = self.desk();
            desk.twins.remove(&twin);
            if let Some(left) = desk.payments.get_mut(&payment) {
                *left -= 1;
                if *left == 0 {
                    desk.payments.remove(&payment);
                }
            }
        }
        if step == Step::Authorize && matches!(answer, GatewayAnswer::Refused { .. }) {
            tokio::spawn(self.clone().think_again(call));
        }
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }

    /// A refusal that is looked at again, and the money reserved after all: only a letter tells.
    async fn think_again(self: Arc<Self>, call: PaymentCall) {
        if !self.chance.percent(self.day().second_thoughts_percent) {
            return;
        }
        self.pass(self.chance.between(500, 10_000)).await;
        let reference = payment_of(&call);
        let mut book = self.book();
        let declined = book.get_mut(&reference);
        let declined = declined.filter(|payment| payment.state == ProviderState::Declined);
        if let Some(payment) = declined
            && !self.is_healed()
        {
            self.tally.count("34 a refusal is taken back");
            payment.state = ProviderState::Authorized;
            self.write(payment.state, &call, &reference);
        }
    }

    /// Takes its time, does the deed, and perhaps does not get the answer across.
    async fn answer(&self, step: Step, call: &PaymentCall) -> GatewayAnswer {
        self.pass(self.chance.between(5, 300)).await;
        let (day, twin) = (self.day(), (step, call.key.clone()));
        let some = |percent: u64| percent > 0 && self.chance.percent(percent);
        if some(day.unheard_percent) {
            self.tally.count("34 a call never gets there");
            return GatewayAnswer::Unknown;
        }
        let stored = self.desk().stored.get(&twin).copied();
        if stored.is_some_and(|until| Instant::now() < until) {
            self.tally.count("34 a stored error is answered again");
            return GatewayAnswer::Unknown;
        }
        if stored.is_none() && some(day.stored_error_percent) {
            self.tally.count("34 an error is stored under its key");
            let until = Instant::now() + Duration::from_secs(self.chance.between(3, 30));
            self.desk().stored.insert(twin, until);
            if self.chance.percent(50) {
                self.deed(step, call);
            }
            return GatewayAnswer::Unknown;
        }
        if some(day.late_deed_percent) {
            self.tally.count("34 a deed is late");
            self.pass(self.chance.between(2_000, 40_000)).await;
        }
        let silent = step == Step::Authorize
            && call.method == "pm_silent"
            && !self.book().contains_key(&payment_of(call));
        let answer = self.deed(step, call);
        if silent || some(day.lost_answer_percent) {
            self.tally.count("34 an answer is lost after the deed");
            return GatewayAnswer::Unknown;
        }
        answer
    }

    fn deed(&self, step: Step, call: &PaymentCall) -> GatewayAnswer {
        match step {
            Step::Authorize => self.authorize(call),
            step => self.settle(call, step),
        }
    }

    /// Lets time pass, but no longer than the day is bad.
    async fn pass(&self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let piece = left.min(500);
            tokio::time::sleep(Duration::from_millis(piece)).await;
            left -= piece;
            if self.is_healed() {
                return;
            }
        }
    }
}

const POISONED: &str = "nobody panics holding it";

/// The provider's id of the payment a call is about. An authorization may be cancelled before its
/// reference is known: by its key.
fn payment_of(call: &PaymentCall) -> String {
    match call.reference.is_empty() {
        true => format!("pay_{}", call.key),
        false => call.reference.clone(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Authorize,
    Capture,
    Cancel,
    Refund,
}

/// A node's connection to the provider.
pub struct SimGateway {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Whose.
    pub node: usize,
}

impl SimGateway {
    fn ask<'a>(&'a self, step: Step, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let call = call.clone();
            // The provider outlives every node.
            let _ = self.provider.calls.send(Request { step, call, reply });
            match tokio::time::timeout(PATIENCE, answer).await {
                Ok(Ok(answer)) => answer,
                _ => GatewayAnswer::Unknown,
            }
        })
    }
}

impl PaymentGateway for SimGateway {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn authorize<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.ask(Step::Authorize, call)
    }

    fn capture<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        if let Some(watch) = self.provider.watch.get() {
            watch(self.node, &call.order);
        }
        self.ask(Step::Capture, call)
    }

    fn cancel<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.ask(Step::Cancel, call)
    }

    fn refund<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, GatewayAnswer> {
        self.ask(Step::Refund, call)
    }

    fn look_up<'a>(&'a self, call: &'a PaymentCall) -> BoxFuture<'a, LookUp> {
        Box::pin(async move {
            self.provider
                .pass(self.provider.chance.between(5, 100))
                .await;
            let reference = format!("pay_{}", call.key);
            // What is under way is neither there nor absent.
            if self.provider.desk().payments.contains_key(&reference) {
                return LookUp::Unknown;
            }
            let book = self.provider.book();
            let found = book.get(&reference);
            found.map_or(LookUp::Absent, |payment| LookUp::Found {
                reference: reference.clone(),
                state: payment.state,
            })
        })
    }
}
