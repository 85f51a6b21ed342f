//! Predicted beside measured.

use super::{about, count, table};
use crate::model::calendar::{MILLISECOND, Nanos};
use crate::model::costs::Costs;
use crate::model::validate::{DoorsMeasured, Measured, predict, range};

/// The closed loop of `bench/README.md`.
#[must_use]
pub fn measured(costs: &Costs) -> String {
    let measured = Measured::kept();
    let head = [
        "doors",
        "clients",
        "requests/s measured",
        "predicted",
        "ratio",
        "p50 ms measured",
        "predicted",
        "p99 ms measured",
        "predicted",
        "server µs measured",
        "predicted",
    ];
    let rows: Vec<Vec<String>> = measured
        .run
        .iter()
        .map(|run| {
            let said = predict(costs, &measured.machine, run, 5);
            let (low, high) = range(&run.requests_per_s);
            let doors = match run.doors {
                DoorsMeasured::All => "all",
                DoorsMeasured::Leader => "leader's",
            };
            vec![
                doors.to_owned(),
                run.clients.to_string(),
                between(&run.requests_per_s, count),
                about(said.requests_per_s),
                format!("{:.2}", said.requests_per_s / (low * high).sqrt()),
                between(&run.p50_ms, tenths),
                tenths(in_ms(said.p50)),
                between(&run.p99_ms, tenths),
                tenths(in_ms(said.p99)),
                between(&run.server_us, count),
                count(said.server_us),
            ]
        })
        .collect();
    table(&head, 1, &rows)
}

fn in_ms(of: Nanos) -> f64 {
    of as f64 / MILLISECOND as f64
}

fn tenths(of: f64) -> String {
    format!("{of:.1}")
}

fn between(of: &[f64], text: impl Fn(f64) -> String) -> String {
    let (low, high) = range(of);
    if low == high {
        text(low)
    } else {
        format!("{}-{}", text(low), text(high))
    }
}
