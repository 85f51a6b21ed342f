//! The text of `/metrics` (OpenMetrics), as far as this program reads it: samples with their labels.

use std::collections::BTreeMap;

/// What one node's counters said at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape(BTreeMap<String, Vec<Sample>>);

/// One line.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    /// Reads what it can: a line it does not understand is another release's, and is left out.
    pub fn read(text: &str) -> Self {
        let mut all: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, sample)) = sample(line) {
                all.entry(name).or_default().push(sample);
            }
        }
        Self(all)
    }

    /// The sum of all samples of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.with(name, labels).map(|sample| sample.value).sum()
    }

    /// The samples of this name by the value of one label, which is a number.
    pub fn by_number(
        &self,
        name: &str,
        label: &str,
        labels: &[(&str, &str)],
    ) -> BTreeMap<u32, f64> {
        let samples = self.with(name, labels);
        let numbered = samples.filter_map(|sample| {
            let number = sample.labels.get(label)?.parse().ok()?;
            Some((number, sample.value))
        });
        numbered.collect()
    }

    /// The buckets of a histogram: how many took at most so long, in seconds. In order.
    pub fn buckets(&self, name: &str, labels: &[(&str, &str)]) -> Vec<(f64, f64)> {
        let name = format!("{name}_bucket");
        let buckets = self.with(&name, labels).filter_map(|sample| {
            let most = match sample.labels.get("le")?.as_str() {
                "+Inf" => f64::INFINITY,
                most => most.parse().ok()?,
            };
            Some((most, sample.value))
        });
        let mut buckets: Vec<(f64, f64)> = buckets.collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        buckets
    }

    fn with<'a>(
        &'a self,
        name: &str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        let samples = self.0.get(name).into_iter().flatten();
        samples.filter(|sample| {
            let has = |(name, value): &(&str, &str)| {
                sample.labels.get(*name).is_some_and(|found| found == value)
            };
            labels.iter().all(has)
        })
    }
}

/// `name{label="value",...} number`, or without labels.
fn sample(line: &str) -> Option<(String, Sample)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        None => (series, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
    };
    // No value of ours has a comma or a quote in it.
    let labels = labels.split(',').filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, value) = label.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    });
    let sample = Sample {
        labels: labels.collect::<Option<_>>()?,
        value: value.parse().ok()?,
    };
    Some((name.to_owned(), sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels_and_odd_lines_are_left_out() {
        let text = "# HELP a b\na_total{route=\"x\",status=\"201\"} 3\na_total{route=\"y\",status=\"201\"} 4\n\
                    b 1.5\nnonsense\nc{open 1\nlag{shard=\"2\"} 7\nlag{shard=\"10\"} 8\n\
                    t_bucket{le=\"+Inf\",kind=\"x\"} 9\nt_bucket{le=\"0.5\",kind=\"x\"} 6\n";
        let scrape = Scrape::read(text);
        assert_eq!(scrape.sum("a_total", &[("status", "201")]), 7.0);
        assert_eq!(
            scrape.sum("a_total", &[("route", "x"), ("status", "201")]),
            3.0
        );
        assert_eq!(scrape.sum("b", &[]), 1.5);
        assert_eq!(scrape.sum("c", &[]), 0.0);
        let lag = scrape.by_number("lag", "shard", &[]);
        assert_eq!(lag, BTreeMap::from([(2, 7.0), (10, 8.0)]));
        let buckets = scrape.buckets("t", &[("kind", "x")]);
        assert_eq!(buckets, [(0.5, 6.0), (f64::INFINITY, 9.0)]);
    }
}
