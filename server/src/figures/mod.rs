//! What nodes' counters tell at two moments: how fast, and how long it took. For `usher top`, which asks
//! all nodes, and for the operators' page, whose node knows its own.

mod scrape;

pub use self::scrape::Scrape;

/// One node's counters at two moments.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Then.
    pub before: &'a Scrape,
    /// Later.
    pub now: &'a Scrape,
}

/// How the doors of some nodes did between two moments. Latencies are upper bounds: they are known by
/// the buckets of a histogram, whose last one has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doors {
    /// Reservations that were answered, a second.
    pub reserves_per_s: f64,
    /// Those of them that were granted.
    pub granted_per_s: f64,
    /// Payments that were answered, a second.
    pub pays_per_s: f64,
    /// In seconds, half of the reservations took at most this; `None` without one.
    pub reserve_p50_s: Option<f64>,
    /// The same for 99 of 100.
    pub reserve_p99_s: Option<f64>,
}

impl Doors {
    /// Of the nodes that answered both times, so many seconds apart.
    pub fn between(pairs: &[Pair<'_>], seconds: f64) -> Self {
        let rate = |labels: &[(&str, &str)]| {
            let count = |scrape: &Scrape| scrape.sum("usher_api_requests_total", labels);
            grown(pairs, count) / seconds.max(1e-3)
        };
        Self {
            reserves_per_s: rate(&[("route", "reserve")]),
            granted_per_s: rate(&[("route", "reserve"), ("status", "201")]),
            pays_per_s: rate(&[("route", "order_pay")]),
            reserve_p50_s: percentile(pairs, "reserve", 50.0),
            reserve_p99_s: percentile(pairs, "reserve", 99.0),
        }
    }
}

/// How much a counter grew; that of a node that was restarted began anew.
fn grown(pairs: &[Pair<'_>], count: impl Fn(&Scrape) -> f64) -> f64 {
    let each = pairs.iter();
    each.map(|pair| (count(pair.now) - count(pair.before)).max(0.0))
        .sum()
}

/// The time that so much of a hundred requests did not exceed, in seconds, from what the histogram of one
/// route grew by; `None` without a request.
fn percentile(pairs: &[Pair<'_>], route: &str, percent: f64) -> Option<f64> {
    const NAME: &str = "usher_api_request_duration_seconds";
    let labels = [("kind", route)];
    let mut most: Vec<f64> = pairs
        .iter()
        .flat_map(|pair| pair.now.buckets(NAME, &labels))
        .map(|(most, _)| most)
        .collect();
    most.sort_by(f64::total_cmp);
    most.dedup();
    let counts = most.iter().map(|bound| {
        let within = |scrape: &Scrape| {
            let buckets = scrape.buckets(NAME, &labels);
            let found = buckets.iter().find(|(most, _)| most == bound);
            found.map_or(0.0, |(_, count)| *count)
        };
        (*bound, grown(pairs, within))
    });
    let counts: Vec<(f64, f64)> = counts.collect();
    let all = counts.last().map(|(_, count)| *count)?;
    let wanted = all * percent / 100.0;
    let found = counts.iter().find(|(_, count)| *count >= wanted);
    (all > 0.0).then(|| found.map(|(most, _)| *most)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs<'a>(before: &'a [Scrape], now: &'a [Scrape]) -> Vec<Pair<'a>> {
        let pairs = before.iter().zip(now);
        pairs.map(|(before, now)| Pair { before, now }).collect()
    }

    #[test]
    fn counters_grow_over_all_nodes_and_never_below_nothing() {
        let before = ["a 10\n", "a 5\n", "a 100\n"].map(Scrape::read);
        let now = ["a 12\n", "a 5\n", "a 3\n"].map(Scrape::read);
        let count = |scrape: &Scrape| scrape.sum("a", &[]);
        assert_eq!(grown(&pairs(&before, &now), count), 2.0);
    }

    #[test]
    fn a_percentile_is_of_what_was_asked_between_the_moments_on_all_nodes() {
        let histogram = |fast: u32, all: u32| {
            Scrape::read(&format!(
                "usher_api_request_duration_seconds_bucket{{le=\"0.01\",kind=\"reserve\"}} {fast}\n\
                 usher_api_request_duration_seconds_bucket{{le=\"0.5\",kind=\"reserve\"}} {all}\n\
                 usher_api_request_duration_seconds_bucket{{le=\"+Inf\",kind=\"reserve\"}} {all}\n"
            ))
        };
        let before = [histogram(100, 200), histogram(0, 0)];
        let now = [histogram(149, 250), histogram(48, 50)];
        // 97 of 100 were fast.
        let both = pairs(&before, &now);
        assert_eq!(percentile(&both, "reserve", 50.0), Some(0.01));
        assert_eq!(percentile(&both, "reserve", 99.0), Some(0.5));
        assert_eq!(percentile(&pairs(&now, &now), "reserve", 50.0), None);
        assert_eq!(percentile(&both, "pay", 50.0), None);
    }

    #[test]
    fn doors_are_judged_by_the_routes_names_in_metrics() {
        let line = |route: &str, status: u16, count: u32| {
            format!("usher_api_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n")
        };
        let before = [Scrape::default()];
        let told = [
            line("reserve", 201, 6),
            line("reserve", 409, 2),
            line("order_pay", 200, 4),
        ];
        let now = [Scrape::read(&told.concat())];
        let doors = Doors::between(&pairs(&before, &now), 2.0);
        assert_eq!((doors.reserves_per_s, doors.granted_per_s), (4.0, 3.0));
        assert_eq!((doors.pays_per_s, doors.reserve_p50_s), (2.0, None));
        // The names that this asks for are those of routes.
        for route in ["reserve", "order_pay"] {
            assert!(api::auth::access::entry(route).is_some(), "{route}");
        }
    }
}
