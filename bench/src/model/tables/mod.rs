//! The tables of `docs/scaling.md`, in Markdown, the same on every machine.

mod capacity;
mod death;
mod measured;
mod sale;

pub use measured::measured;
pub use sale::one;

use super::calendar::{MILLISECOND, Nanos};
use super::costs::Costs;

/// A table by the name it has in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name in the marks.
    pub name: &'static str,
    /// Markdown, with a line break at the end.
    pub text: String,
}

/// Makes a table.
type Make = fn(&Costs) -> String;

/// What there is.
const TABLES: [(&str, Make); 4] = [
    ("validate", measured),
    ("capacity", capacity::capacity),
    ("sale", sale::hour),
    ("death", death::deaths),
];

/// All of them, or the one of this name; takes a minute or two.
#[must_use]
pub fn made(costs: &Costs, only: Option<&str>) -> Vec<Named> {
    let wanted = TABLES
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name));
    let made = wanted.map(|(name, make)| Named {
        name,
        text: make(costs),
    });
    made.collect()
}

/// Rows under a head; the first `left` columns are text.
#[must_use]
pub fn table(head: &[&str], left: usize, rows: &[Vec<String>]) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|text| (*text).to_owned()).collect();
    let rule: Vec<&str> = (0..head.len())
        .map(|at| if at < left { "---" } else { "--:" })
        .collect();
    let body: String = rows.iter().map(|cells| row(cells)).collect();
    format!("{}|{}|\n{body}", row(&head), rule.join("|"))
}

/// A count with commas.
#[must_use]
pub fn count(of: f64) -> String {
    let digits = format!("{of:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count to two or three digits, as a search finds it.
#[must_use]
pub fn about(of: f64) -> String {
    let mut unit = 1.0;
    while of / unit >= 1_000.0 {
        unit *= 10.0;
    }
    count((of / unit).round() * unit)
}

/// A span in ms, to two digits or more.
#[must_use]
pub fn ms(of: Nanos) -> String {
    let ms = of as f64 / MILLISECOND as f64;
    match ms {
        ..1.0 => format!("{ms:.2}"),
        ..10.0 => format!("{ms:.1}"),
        _ => count(ms),
    }
}

/// A share in percent.
#[must_use]
pub fn percent(of: f64) -> String {
    format!("{:.0} %", of * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_tables_read_as_they_should() {
        assert_eq!(
            [0.0, 999.4, 1_000.0, 1_234_567.0].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [12.0, 1_234.0, 98_765.0].map(about),
            ["12", "1,230", "98,800"]
        );
        assert_eq!(
            [25_000, 1_234_567, 123_400_000].map(ms),
            ["0.03", "1.2", "123"]
        );
        let text = table(&["a", "b"], 1, &[vec!["x".into(), "1".into()]]);
        assert_eq!(text, "| a | b |\n|---|--:|\n| x | 1 |\n");
    }
}
