//! What all clients of a run share: which seats must be what by the answers so far, which orders
//! are open, and the measurements.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::cpu::Usage;
use super::{Plan, Row, Workload};
use crate::dice::Dice;

/// Waits in microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000, 3).expect("a minute at three digits is valid")
}

/// Sections of the event.
pub(super) const SECTIONS: u32 = 70;
/// Rows of each.
pub(super) const ROWS: u32 = 20;
/// Seats in each row.
pub(super) const SEATS_PER_ROW: u32 = 50;
/// Seats of each section.
pub(super) const SEATS: u32 = ROWS * SEATS_PER_ROW;
const SEATS_ALL: usize = (SECTIONS * SEATS) as usize;
/// Orders of four that stay open: 5 % of all seats.
const OPEN_ORDERS: usize = SEATS_ALL / 80;

/// The event of a run.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
}

/// A section's name.
pub(super) fn section_name(number: u32) -> String {
    format!("S{number:02}")
}

/// Four seats of one section, and once granted their order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) section: u32,
    pub(super) seats: [u32; 4],
    /// The client that holds it: only its own identity may release it.
    pub(super) client: usize,
    pub(super) id: String,
}

impl Order {
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.seats
            .iter()
            .map(|seat| (self.section * SEATS + seat) as usize)
    }
}

/// What clients share.
pub(super) struct World {
    pub(super) workload: Workload,
    pub(super) event: Event,
    state: Mutex<State>,
}

/// The part that changes.
pub(super) struct State {
    dice: Dice,
    /// Whether each seat must be taken, by the answers so far.
    pub(super) taken: Vec<bool>,
    pub(super) open: VecDeque<Order>,
    /// Seats granted while another order surely had them.
    pub(super) doubles: u64,
    granted: u64,
    pub(super) busy: u64,
    /// Bearer lines by client, for releasing what another client holds.
    pub(super) bearers: Vec<String>,
    pub(super) hold: Histogram<u64>,
    pub(super) pay: Histogram<u64>,
    pub(super) release: Histogram<u64>,
}

impl World {
    pub(super) fn new(workload: Workload, event: Event) -> Self {
        let state = State {
            dice: Dice::fresh(),
            taken: vec![false; SEATS_ALL],
            open: VecDeque::new(),
            doubles: 0,
            granted: 0,
            busy: 0,
            bearers: Vec::new(),
            hold: histogram(),
            pay: histogram(),
            release: histogram(),
        };
        Self {
            workload,
            event,
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was measured so far: the warm-up.
    pub(super) fn start_measuring(&self) {
        let mut state = self.state();
        (state.granted, state.busy) = (0, 0);
        state.hold.reset();
        state.pay.reset();
        state.release.reset();
    }

    /// The figures.
    pub(super) fn row(
        &self,
        plan: &Plan,
        time: Duration,
        used: &Usage,
        yardstick_ms: f64,
        held: usize,
    ) -> Row {
        let state = self.state();
        let requests = state.hold.len() + state.pay.len() + state.release.len();
        let per_second = |count: u64| (count as f64 / time.as_secs_f64()).round();
        let per_request = |seconds: f64| (seconds * 1e7 / requests.max(1) as f64).round() / 10.0;
        Row {
            target: plan.label.clone(),
            mode: plan.workload.name().to_owned(),
            clients: plan.clients,
            seconds: time.as_secs_f64(),
            requests_per_s: per_second(requests),
            granted_per_s: per_second(state.granted),
            p50_us: state.hold.value_at_quantile(0.5),
            p99_us: state.hold.value_at_quantile(0.99),
            p999_us: state.hold.value_at_quantile(0.999),
            confirm_p50_us: state.pay.value_at_quantile(0.5),
            release_p50_us: state.release.value_at_quantile(0.5),
            server_cpu_us: per_request(used.server),
            client_cpu_us: per_request(used.client),
            other_cpu: (used.other.max(0.0) / time.as_secs_f64() * 100.0).round() / 100.0,
            yardstick_ms,
            busy: state.busy,
            rate: plan.rate,
            held,
            free: SEATS_ALL - held,
        }
    }
}

impl State {
    /// Four distinct random seats of a random section.
    pub(super) fn draw(&mut self, client: usize) -> Order {
        let section = self.dice.below(u64::from(SECTIONS)) as u32;
        let mut seats = [0; 4];
        while seats.windows(2).any(|pair| pair[0] >= pair[1]) {
            seats = [(); 4].map(|()| self.dice.below(u64::from(SEATS)) as u32);
            seats.sort_unstable();
        }
        Order {
            section,
            seats,
            client,
            id: String::new(),
        }
    }

    /// The order got its seats.
    pub(super) fn grant(&mut self, order: &Order) {
        self.granted += 1;
        for place in order.places() {
            self.doubles += u64::from(self.taken[place]);
            self.taken[place] = true;
        }
    }

    /// The order to release next, when too many are open. Its seats count as free from here on:
    /// the server may grant them to another client before it has answered this one.
    pub(super) fn recycle(&mut self) -> Option<Order> {
        if self.open.len() <= OPEN_ORDERS {
            return None;
        }
        let oldest = self.open.pop_front()?;
        for place in oldest.places() {
            self.taken[place] = false;
        }
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_four_distinct_seats_and_a_double_grant_is_seen() {
        let world = World::new(Workload::Hold, Event { id: String::new() });
        let mut state = world.state();
        let mut sections = vec![false; SECTIONS as usize];
        for _ in 0..5_000 {
            let order = state.draw(0);
            assert!(order.seats.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(order.seats[3] < SEATS);
            sections[order.section as usize] = true;
        }
        assert!(sections.iter().all(|&seen| seen));

        let order = state.draw(0);
        state.grant(&order);
        assert_eq!(state.doubles, 0);
        state.grant(&order);
        assert_eq!(state.doubles, 4);
    }

    #[test]
    fn the_oldest_order_is_recycled_once_five_percent_are_held() {
        let world = World::new(Workload::Hold, Event { id: String::new() });
        let mut state = world.state();
        for number in 0..=OPEN_ORDERS {
            assert!(state.recycle().is_none());
            let mut order = state.draw(number);
            order.seats = [0, 1, 2, 3];
            state.open.push_back(order);
        }
        assert_eq!(state.recycle().map(|order| order.client), Some(0));
        assert!(state.recycle().is_none());
    }
}
