//! A node's settings, process and files, as they are now.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::secrets::{Secrets, bare};
use crate::node::config::Config;
use crate::settings::print_config;

/// Files that are listed, at most.
const FILES_MAX: usize = 5_000;
/// What Linux has told user space for decades, on every architecture that Usher runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// `GET /admin/debug/facts`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FactsView {
    /// This node.
    pub node_id: u64,
    /// Its release.
    pub release: String,
    /// Its settings as a file, without secrets.
    pub settings: String,
    /// Its process, and the machine it runs on.
    pub process: ProcessView,
    /// Its data directory.
    pub files: FilesView,
}

/// What the system tells of a process; absent where it does not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProcessView {
    /// Its number.
    pub pid: u32,
    /// For how long it has run.
    pub uptime_s: Option<f64>,
    /// CPU time it has used.
    pub cpu_s: Option<f64>,
    /// Its threads.
    pub threads: Option<u64>,
    /// Memory it has now.
    pub resident_bytes: Option<u64>,
    /// The most it has had.
    pub resident_peak_bytes: Option<u64>,
    /// Files and sockets it has open.
    pub open_files: Option<usize>,
    /// How many it may have.
    pub open_files_max: Option<u64>,
    /// CPUs it may use.
    pub cpus: Option<usize>,
    /// Memory of the machine.
    pub machine_memory_bytes: Option<u64>,
    /// What could be had of it.
    pub machine_available_bytes: Option<u64>,
    /// The machine's load over 1, 5 and 15 minutes.
    pub load: Option<String>,
    /// The system's release.
    pub kernel: Option<String>,
}

/// The files of a data directory.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FilesView {
    /// By path.
    pub files: Vec<FileView>,
    /// How many more there are.
    pub more: usize,
    /// Bytes of all.
    pub bytes: u64,
    /// What could not be read, and why.
    pub problems: Vec<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileView {
    /// Below the data directory.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

impl FactsView {
    pub(super) fn of(config: &Config, secrets: &Secrets) -> Self {
        let mut shown = config.clone();
        shown.payments.url = bare(&config.payments.url);
        Self {
            node_id: config.node_id,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            settings: secrets.removed(&print_config(&shown)),
            process: ProcessView::now(),
            files: FilesView::of(&config.data_dir),
        }
    }
}

impl ProcessView {
    fn now() -> Self {
        let told = |path: &str| fs::read_to_string(path).ok();
        let status = told("/proc/self/status").unwrap_or_default();
        let memory = told("/proc/meminfo").unwrap_or_default();
        let limits = told("/proc/self/limits").unwrap_or_default();
        let stat = told("/proc/self/stat").unwrap_or_default();
        let line = |path| told(path).map(|text| text.trim().to_owned());
        let kib = |text: &str, name| field(text, name).map(|kib| kib << 10);
        let up: Option<f64> = told("/proc/uptime").and_then(|text| first(&text));
        let begun = ticks(&stat, 22).map(|ticks| ticks / TICKS_PER_SECOND);
        let used = ticks(&stat, 14).zip(ticks(&stat, 15));
        let open = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        Self {
            pid: std::process::id(),
            uptime_s: up.zip(begun).map(|(up, begun)| (up - begun).max(0.0)),
            cpu_s: used.map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            threads: field(&status, "Threads:"),
            resident_bytes: kib(&status, "VmRSS:"),
            resident_peak_bytes: kib(&status, "VmHWM:"),
            open_files: fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
            open_files_max: open.and_then(first),
            cpus: std::thread::available_parallelism().ok().map(usize::from),
            machine_memory_bytes: kib(&memory, "MemTotal:"),
            machine_available_bytes: kib(&memory, "MemAvailable:"),
            load: line("/proc/loadavg"),
            kernel: line("/proc/sys/kernel/osrelease"),
        }
    }
}

/// The first word, if it is a number.
fn first<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.split_whitespace().next()?.parse().ok()
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    first(text.lines().find_map(|line| line.strip_prefix(name))?)
}

/// A field of `/proc/self/stat`, as its manual counts them. The second is a name in brackets.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number - 3)?.parse().ok()
}

impl FilesView {
    fn of(dir: &Path) -> Self {
        let mut view = Self::default();
        view.walk(dir, dir);
        view.files.sort_by(|one, other| one.path.cmp(&other.path));
        view
    }

    fn walk(&mut self, root: &Path, dir: &Path) {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => return self.problem(dir, &error),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            // Not what a link leads to, which may be anywhere.
            match entry.metadata() {
                Ok(data) if data.is_dir() => self.walk(root, &path),
                Ok(data) => {
                    self.bytes += data.len();
                    if self.files.len() >= FILES_MAX {
                        self.more += 1;
                        continue;
                    }
                    let below = path.strip_prefix(root).unwrap_or(&path);
                    self.files.push(FileView {
                        path: below.display().to_string(),
                        bytes: data.len(),
                    });
                }
                // It was removed meanwhile: segments and snapshots come and go.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => self.problem(&path, &error),
            }
        }
    }

    fn problem(&mut self, path: &Path, error: &std::io::Error) {
        if self.problems.len() < 100 {
            self.problems.push(format!("{}: {error}", path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_what_the_system_tells_of_it() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 3 0 12345 1 1";
        assert_eq!(ticks(stat, 14).zip(ticks(stat, 15)), Some((250.0, 50.0)));
        assert_eq!(ticks(stat, 22), Some(12345.0));
        assert_eq!(ticks("", 22), None);
        assert_eq!(
            field("VmHWM:\t 12 kB\nVmRSS:\t 10 kB\n", "VmRSS:"),
            Some(10)
        );
        assert_eq!(field("VmRSS: much\n", "VmRSS:"), None);
    }

    #[test]
    fn files_are_listed_with_their_sizes_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let elsewhere = tempfile::tempdir().expect("another");
        fs::write(elsewhere.path().join("private"), b"x").expect("a file");
        fs::create_dir(dir.path().join("wal")).expect("a directory");
        fs::write(dir.path().join("wal/1"), [0; 10]).expect("a file");
        fs::write(dir.path().join("identity"), [0; 5]).expect("a file");
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("link")).expect("a link");
        let view = FilesView::of(dir.path());
        let paths: Vec<_> = view.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["identity", "link", "wal/1"]);
        assert_eq!((view.files[2].bytes, view.more), (10, 0));
        let none = FilesView::of(&dir.path().join("nowhere"));
        assert_eq!((none.files.len(), none.problems.len()), (0, 1));
    }
}
