//! The last lines of this process's log, kept in memory for whoever looks into a problem. Of everything
//! from INFO on, whatever is printed where: `RUST_LOG` may have silenced it, or nobody kept it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of all lines, at most.
const BYTES_MAX: usize = 256 << 10;
/// Bytes of one line; a longer one is cut.
const LINE_BYTES_MAX: usize = 4 << 10;

/// This process's.
pub static RECENT: Recent = Recent::new();

/// Lines, the oldest of which go.
pub struct Recent(Mutex<Lines>);

struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lines that went.
    gone: u64,
}

impl Recent {
    /// Without a line.
    pub const fn new() -> Self {
        Self(Mutex::new(Lines {
            lines: VecDeque::new(),
            bytes: 0,
            gone: 0,
        }))
    }

    /// Adds a line.
    pub fn add(&self, line: &str) {
        let line = cut(line.trim_end_matches('\n'));
        let mut lines = self.lock();
        lines.bytes += cost(&line);
        lines.lines.push_back(line);
        while lines.bytes > BYTES_MAX {
            let oldest = lines.lines.pop_front();
            lines.bytes -= oldest.as_ref().map_or(0, cost);
            lines.gone += 1;
        }
    }

    /// All there are, oldest first, and how many went before.
    pub fn all(&self) -> (Vec<String>, u64) {
        let lines = self.lock();
        (lines.lines.iter().cloned().collect(), lines.gone)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // Whoever panicked, lines are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a line takes; an empty one takes something as well.
fn cost(line: &String) -> usize {
    line.len() + size_of_val(line)
}

/// A line of bounded length. It is cut between two words: half a secret is known by nobody as one, and
/// would not be taken out later.
fn cut(line: &str) -> String {
    if line.len() <= LINE_BYTES_MAX {
        return line.to_owned();
    }
    let begin = &line.as_bytes()[..LINE_BYTES_MAX];
    let space = begin.iter().rposition(|byte| *byte == b' ').unwrap_or(0);
    format!("{} ... ({} bytes)", &line[..space], line.len())
}

impl Default for Recent {
    fn default() -> Self {
        Self::new()
    }
}

/// One event is written in one go.
impl io::Write for &Recent {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for &'static Recent {
    type Writer = &'static Recent;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_stay_within_bounds_and_those_that_went_are_counted() {
        let recent = Recent::new();
        for number in 0..20_000 {
            recent.add(&format!("line {number}\n"));
        }
        let (lines, gone) = recent.all();
        assert_eq!(lines.last().map(String::as_str), Some("line 19999"));
        assert_eq!(lines.len() as u64 + gone, 20_000);
        assert!(gone > 0 && lines.iter().map(cost).sum::<usize>() <= BYTES_MAX);
        for _ in 0..20_000 {
            recent.add("\n");
        }
        assert!(recent.all().0.iter().map(cost).sum::<usize>() <= BYTES_MAX);
    }

    #[test]
    fn a_long_line_is_cut_between_two_words() {
        let word = "ü".repeat(1_000);
        let line = [&*word, &*word, &*word].join(" ");
        assert_eq!(cut(&line), format!("{word} {word} ... (6002 bytes)"));
        assert_eq!(cut(&"x".repeat(5_000)), " ... (5000 bytes)");
        assert_eq!(cut(&word), word);
    }
}
