//! The simulator as a program: built once, then one process a run.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

use crate::run::{cargo, check, root};

// A target directory of its own: `--cfg madsim` changes every crate, and the two builds must not
// throw each other's work away.
fn target() -> PathBuf {
    root().join("target-sim")
}

/// From so many runs on, the profile that takes longer to build is the sooner ready.
const MANY_RUNS: u64 = 500;

/// The profile that was built; there is one in a life of this program.
static PROFILE: OnceLock<&str> = OnceLock::new();

/// Builds the simulator, for so many runs.
pub fn build(runs: u64) -> Result<(), String> {
    let profile = PROFILE.get_or_init(|| match runs {
        MANY_RUNS.. => "sweep",
        _ => "sim",
    });
    let mut build = cargo(&[
        "build",
        "--locked",
        "--package",
        "sim-tests",
        "--profile",
        profile,
    ]);
    build
        .env("RUSTFLAGS", "--cfg madsim")
        .env("CARGO_TARGET_DIR", target());
    check(build)
}

/// Plans for members, with each bug of that area planted: judged by an account of what is safe, in
/// no world at all.
pub fn planted_plans() -> Result<(), String> {
    let words = [
        "test",
        "--locked",
        "--package",
        "cluster",
        "--test",
        "planted",
    ];
    let mut test = cargo(&[&words[..], &["--profile", "sim"]].concat());
    test.env("RUSTFLAGS", "--cfg madsim")
        .env("CARGO_TARGET_DIR", target());
    check(test)
}

/// A simulator with these words.
pub fn sim(words: &[&str]) -> Command {
    let profile = PROFILE.get().expect("it was built first");
    let mut command = Command::new(target().join(profile).join("sim"));
    command
        .args(words)
        .env("RUST_BACKTRACE", "0")
        .current_dir(root());
    command
}

/// One run of a kind (`run`, `steps`).
pub fn simulate(kind: &str, seed: u64) -> Command {
    sim(&[kind, "--seed", &seed.to_string()])
}

/// The commit a run belongs to, in short; a changed tree says so.
pub fn commit() -> String {
    let git = |words: &[&str]| {
        let done = Command::new("git").args(words).current_dir(root()).output();
        let done = done.ok().filter(|done| done.status.success())?;
        Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    };
    let Some(head) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => head,
        _ => format!("{head}, and changes since"),
    }
}

/// Longer than any run takes that gets anywhere.
const RUN_MAX: Duration = Duration::from_secs(300);

/// Ends a process that is still there after so long, unless what is returned is dropped before.
fn end_after(limit: Duration, process: u32) -> mpsc::Sender<()> {
    let (watch, dropped) = mpsc::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "waits for a process that simulates, outside of all of them"
    )]
    std::thread::spawn(move || {
        if dropped.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            // It may have ended by itself just now.
            let _ = Command::new("kill")
                .args(["-9", &process.to_string()])
                .status();
        }
    });
    watch
}

/// What a run in a process of its own came to.
pub struct Report {
    /// All that it printed.
    pub text: String,
    /// Whether every promise held.
    pub held: bool,
}

impl Report {
    /// Runs it to its end. A run that dies on a panic says so in its text.
    pub fn of(mut command: Command) -> Result<Self, String> {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the simulator did not start: {error}"))?;
        let watch = end_after(RUN_MAX, child.id());
        let done = child
            .wait_with_output()
            .map_err(|error| format!("the simulator did not end: {error}"))?;
        drop(watch);
        let held = done.status.success();
        let mut text = String::from_utf8_lossy(&done.stdout).into_owned();
        if !held {
            text.push_str(&String::from_utf8_lossy(&done.stderr));
        }
        Ok(Self { text, held })
    }

    /// The rest of every line that begins with this word.
    pub fn lines<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        self.text
            .lines()
            .filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    /// Lines like `fault 3 a frame is lost`: counts and what they count.
    pub fn counts<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        self.lines(word).filter_map(|line| {
            let (count, name) = line.split_once(' ')?;
            Some((name, count.parse().ok()?))
        })
    }

    /// The properties it says were broken; `panic` when it died before it could say.
    pub fn broken(&self) -> Vec<&str> {
        if self.held {
            return Vec::new();
        }
        let said: Vec<&str> = self
            .lines("BROKEN")
            .filter_map(|line| line.split(':').next())
            .collect();
        match said.is_empty() {
            true => vec!["panic"],
            false => said,
        }
    }

    /// Seconds of CPU it took.
    pub fn cpu_s(&self) -> f64 {
        let word = self.lines("cpu").next();
        word.and_then(|line| line.split(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    }

    /// Simulated seconds.
    pub fn simulated_s(&self) -> f64 {
        let word = self.lines("simulated").next();
        word.and_then(|line| line.split(' ').next()?.parse().ok())
            .unwrap_or(0.0)
    }
}

/// Runs seeds from `from` on, a process each, on all cores, as long as the next one is wanted;
/// adds each report to the sum.
pub fn on_all_cores<S: Send>(
    from: u64,
    sum: &mut S,
    wanted: impl Fn(u64, &S) -> bool + Sync,
    command: impl Fn(u64) -> Command + Sync,
    add: impl Fn(&mut S, u64, Report) + Sync,
) -> Result<(), String> {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(sum);
    let locked = || sum.lock().expect("no worker panics holding it");
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if !wanted(seed, &locked()) {
            return Ok(());
        }
        let report = Report::of(command(seed))?;
        add(&mut locked(), seed, report);
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })
}
