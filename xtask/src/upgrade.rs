//! `cargo xtask upgrade`: from the release before to this one while a cluster sells, both as they are.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{cargo, check, root, target};

/// See [`crate::Command::Upgrade`].
#[derive(clap::Args)]
pub struct Args {
    /// The release to begin with, as git knows it; by default the newest tag or, where there are none, the
    /// last commit of the version before this one.
    #[arg(long)]
    from: Option<String>,
    /// Places of the stadium.
    #[arg(long, default_value_t = 40_000)]
    seats: u32,
    /// Buyers at once.
    #[arg(long, default_value_t = 1_000)]
    buyers: u32,
}

/// Builds both, and runs the demo from one to the other.
pub fn run(args: &Args) -> Result<(), String> {
    let tag = match &args.from {
        Some(tag) => tag.clone(),
        None => match newest_tag() {
            Some(tag) => tag,
            None => last_of_the_version_before()?,
        },
    };
    println!("from {tag}");
    let older = older(&tag)?;
    check(cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        "server",
    ]))?;
    let mut demo = Command::new(target().join("release/usher"));
    demo.current_dir(root()).arg("demo");
    demo.arg("--upgrade-from").arg(older);
    demo.arg("--seats").arg(args.seats.to_string());
    demo.arg("--buyers").arg(args.buyers.to_string());
    check(demo)
}

fn newest_tag() -> Option<String> {
    told(&["describe", "--tags", "--abbrev=0"])
}

/// Tags stay behind when only a branch is cloned.
fn last_of_the_version_before() -> Result<String, String> {
    let version = format!("version = \"{}\"", env!("CARGO_PKG_VERSION"));
    let raised = told(&[
        "log",
        "-1",
        "--format=%h",
        "-S",
        &version,
        "--",
        "Cargo.toml",
    ]);
    let before = raised.and_then(|raised| told(&["rev-parse", "--short", &format!("{raised}^")]));
    before.ok_or_else(|| "git does not know the release before; name one with --from".to_owned())
}

/// The first line that git answers, if it does.
fn told(words: &[&str]) -> Option<String> {
    let told = git(words).output().ok()?;
    let line = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    (told.status.success() && !line.is_empty()).then_some(line)
}

/// The program of a release, built from git beside this one.
fn older(tag: &str) -> Result<PathBuf, String> {
    let place = target().join("previous");
    let source = place.join(tag);
    if !source.join("Cargo.toml").exists() {
        let mut worktree = git(&["worktree", "add", "--force", "--detach"]);
        check({
            worktree.arg(&source).arg(tag);
            worktree
        })?;
    }
    let built = place.join("target");
    let mut build = cargo(&["build", "--locked", "--release", "--package", "server"]);
    build.current_dir(&source).env("CARGO_TARGET_DIR", &built);
    check(build)?;
    Ok(built.join("release/usher"))
}

fn git(words: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root()).args(words);
    git
}
