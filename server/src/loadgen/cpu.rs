//! CPU seconds from /proc, and how fast the machine is just now.

use std::fs;
use std::hint::black_box;
use std::io;
use std::time::Instant;

/// What Linux has told user space for decades, on every architecture that Usher runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Of the servers and their children.
    pub(super) server: f64,
    /// Of this process.
    pub(super) client: f64,
    /// Of everything else, time stolen by a host included. Servers that were not named count here.
    pub(super) other: f64,
}

impl Usage {
    pub(super) fn now(servers: &[u32]) -> io::Result<Self> {
        let all = fs::read_to_string("/proc/stat")?;
        let busy = busy_ticks(&all).ok_or_else(|| odd("/proc/stat"))? as f64 / TICKS_PER_SECOND;
        let mut server = 0.0;
        for &pid in servers {
            server += with_children(pid)?;
        }
        // Only our own threads: servers may be children of this process.
        let client = seconds(std::process::id())?;
        Ok(Self {
            server,
            client,
            other: busy - server - client,
        })
    }

    pub(super) fn since(self, before: &Self) -> Self {
        Self {
            server: self.server - before.server,
            client: self.client - before.client,
            other: self.other - before.other,
        }
    }
}

fn odd(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} looks odd"))
}

/// user + nice + system + irq + softirq + steal of the first line.
fn busy_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .flat_map(str::parse)
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields[..] else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

/// utime and stime, then those of children that were waited for.
fn ticks(stat: &str) -> Option<[u64; 4]> {
    // The name in parentheses may contain anything, also parentheses.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<u64> = rest
        .split(' ')
        .skip(11)
        .take(4)
        .flat_map(str::parse)
        .collect();
    fields.try_into().ok()
}

fn read_ticks(pid: u32) -> io::Result<[u64; 4]> {
    let path = format!("/proc/{pid}/stat");
    ticks(&fs::read_to_string(&path)?).ok_or_else(|| odd(&path))
}

/// CPU seconds of one process so far, those of its children not counted.
pub(crate) fn seconds(pid: u32) -> io::Result<f64> {
    let [user, system, ..] = read_ticks(pid)?;
    Ok((user + system) as f64 / TICKS_PER_SECOND)
}

fn with_children(pid: u32) -> io::Result<f64> {
    let dead_and_own: u64 = read_ticks(pid)?.iter().sum();
    let mut seconds = dead_and_own as f64 / TICKS_PER_SECOND;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    for child in children
        .unwrap_or_default()
        .split_whitespace()
        .flat_map(str::parse)
    {
        // A child may end between the two reads; its time then shows up in its parent's.
        seconds += with_children(child).unwrap_or_default();
    }
    Ok(seconds)
}

/// Milliseconds for a fixed piece of work on one core. Above its usual value the host is slower
/// than usual, in a way that no accounting inside a guest shows.
pub(super) fn yardstick() -> f64 {
    let start = Instant::now();
    let mut state = 1_u64;
    for _ in 0..20_000_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= black_box(state << 17);
    }
    black_box(state);
    (start.elapsed().as_secs_f64() * 1e4).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_even_with_hostile_process_names() {
        let line = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 111 22 3 4 20 0 1";
        assert_eq!(ticks(line), Some([111, 22, 3, 4]));
        assert_eq!(ticks("nonsense"), None);
        assert_eq!(busy_ticks("cpu  1 2 3 100 100 4 5 6 0 0\ncpu0 9"), Some(21));
    }

    #[test]
    fn this_process_has_used_some_time() {
        let usage = Usage::now(&[std::process::id()]).expect("Linux");
        assert!(usage.server >= usage.client && usage.client >= 0.0);
    }
}
