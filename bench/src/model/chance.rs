//! Chance from a seed. Only additions, multiplications, divisions and roots of floating point are
//! used, which IEEE 754 defines to the last bit: a system's own logarithm may differ from the next
//! system's, and the tables would drift with it.

use super::calendar::Nanos;

/// A source of chance (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The same seed and stream, the same throws. Streams of one seed are independent, so that one more
    /// throw for one purpose moves nothing for another.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03));
        mixed.bits();
        Self(mixed.bits())
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Above 0 and at most 1.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Below `bound`; 0 when nothing is.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance as usize
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() <= probability
    }

    /// Exponentially distributed with this mean: the time to the next of events that know nothing of each
    /// other.
    pub fn exponential(&mut self, mean: Nanos) -> Nanos {
        (-ln(self.unit()) * mean as f64) as Nanos
    }

    /// How many events of a Poisson process fall into a span in which `mean` are expected: by counting
    /// exponential steps, or past 64 by the normal distribution that it then almost is.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 64.0 {
            let sum: f64 = (0..12).map(|_| self.unit()).sum();
            return (mean + (sum - 6.0) * mean.sqrt() + 0.5).max(0.0) as u64;
        }
        let (mut count, mut at) = (0, -ln(self.unit()));
        while at < mean {
            count += 1;
            at -= ln(self.unit());
        }
        count
    }
}

/// The natural logarithm of a positive, normal number: `x = 2^e m`, and `ln m = 2 artanh((m-1)/(m+1))`
/// by its series.
#[must_use]
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    // t is below 0.172: the ninth term is below 1e-14.
    let series = (0..9)
        .rev()
        .fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    2.0 * t * series + exponent as f64 * std::f64::consts::LN_2
}

/// What was measured of something that varies: five of its quantiles, and straight lines between them
/// (the inverse of the distribution function).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    values: [Nanos; 5],
}

const QUANTILES: [f64; 5] = [0.0, 0.5, 0.9, 0.99, 1.0];

impl Spread {
    /// From the least, the median, the 90th and the 99th percentile and the greatest. `None` unless they
    /// rise.
    #[must_use]
    pub fn new(values: [Nanos; 5]) -> Option<Self> {
        values.is_sorted().then_some(Self { values })
    }

    /// One value.
    pub fn draw(&self, chance: &mut Chance) -> Nanos {
        let at = chance.unit();
        let step = QUANTILES[1..4].partition_point(|quantile| *quantile < at);
        let (low, high) = (self.values[step] as f64, self.values[step + 1] as f64);
        let part = (at - QUANTILES[step]) / (QUANTILES[step + 1] - QUANTILES[step]);
        (low + (high - low) * part) as Nanos
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let steps = QUANTILES.windows(2).zip(self.values.windows(2));
        steps
            .map(|(at, of)| (at[1] - at[0]) * (of[0] + of[1]) as f64 / 2.0)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_the_twelfth_digit() {
        for x in [1e-16, 0.3, 0.999, 1.0, 1.5, 2.0, 1e9] {
            let error = (ln(x) - f64::ln(x)).abs();
            assert!(error <= 1e-12 * f64::ln(x).abs().max(1.0), "{x}: {error}");
        }
    }

    #[test]
    fn means_and_variances_are_those_of_the_distributions() {
        let mut chance = Chance::new(1, 1);
        let n = 100_000;
        let sum: f64 = (0..n).map(|_| chance.exponential(1_000_000) as f64).sum();
        assert!((sum / f64::from(n) / 1e6 - 1.0).abs() < 0.02, "{sum}");
        for mean in [0.3, 7.0, 63.0, 65.0, 900.0] {
            let throws: Vec<f64> = (0..n).map(|_| chance.poisson(mean) as f64).collect();
            let seen = throws.iter().sum::<f64>() / f64::from(n);
            let square = |x: &f64| (x - seen) * (x - seen);
            let variance = throws.iter().map(square).sum::<f64>() / f64::from(n);
            assert!((seen / mean - 1.0).abs() < 0.02, "{mean}: mean {seen}");
            assert!((variance / mean - 1.0).abs() < 0.03, "{mean}: {variance}");
        }
    }

    #[test]
    fn a_spread_has_the_quantiles_it_was_made_of() {
        let spread = Spread::new([100, 200, 400, 1_000, 9_000]).expect("they rise");
        let mut chance = Chance::new(2, 0);
        let mut seen: Vec<Nanos> = (0..100_000).map(|_| spread.draw(&mut chance)).collect();
        seen.sort_unstable();
        for (at, value) in [(50_000, 200.0), (90_000, 400.0), (99_000, 1_000.0)] {
            let ratio = seen[at] as f64 / value;
            assert!((0.97..1.03).contains(&ratio), "{at}: {}", seen[at]);
        }
        let mean = seen.iter().sum::<Nanos>() as f64 / seen.len() as f64;
        assert!((mean / spread.mean() - 1.0).abs() < 0.02, "{mean}");
        assert_eq!(Spread::new([1, 2, 3, 4, 3]), None, "they must rise");
    }
}
