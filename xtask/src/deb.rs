//! `cargo xtask deb`: a Debian package, made with `dpkg-deb`, then unpacked somewhere and tried.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{cargo, check, root, target};

/// See [`crate::Command::Deb`].
#[derive(clap::Args)]
pub struct Args {
    /// The profile that the binary is built with.
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Takes this binary instead of building one.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Files of the repository, and where they go.
const FILES: [(&str, &str); 6] = [
    (
        "deploy/systemd/usher.service",
        "usr/lib/systemd/system/usher.service",
    ),
    (
        "deploy/prometheus/alerts.yml",
        "usr/share/usher/prometheus/alerts.yml",
    ),
    (
        "deploy/grafana/usher.json",
        "usr/share/usher/grafana/usher.json",
    ),
    ("docs/operations.md", "usr/share/doc/usher/operations.md"),
    (
        "docs/certificates.md",
        "usr/share/doc/usher/certificates.md",
    ),
    ("LICENSE", "usr/share/doc/usher/copyright"),
];
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/usher"),
    ("zsh", "usr/share/zsh/vendor-completions/_usher"),
    ("fish", "usr/share/fish/vendor_completions.d/usher.fish"),
];
const EXAMPLE: &str = "usr/share/doc/usher/node.toml.example";
const PAGES: &str = "usr/share/man/man1";

/// Builds, packs, unpacks, tries.
pub fn run(args: &Args) -> Result<(), String> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => built(&args.profile)?,
    };
    let version = env!("CARGO_PKG_VERSION");
    let machine = said(Command::new("dpkg-deb").arg("--version")).and_then(|_| architecture())?;
    let name = format!("usher_{version}_{machine}");
    let dir = target().join("deb");
    let tree = dir.join(&name);
    if tree.exists() {
        fs::remove_dir_all(&tree).map_err(at(&tree))?;
    }
    lay_out(&tree, &binary)?;
    control(&tree, version, &machine)?;
    let package = dir.join(format!("{name}.deb"));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"]);
    check_quietly(pack.arg(&tree).arg(&package))?;
    inspect(&package, &dir.join("unpacked"), version)?;
    println!("{}", package.display());
    Ok(())
}

fn built(profile: &str) -> Result<PathBuf, String> {
    let words = [
        "build",
        "--locked",
        "--profile",
        profile,
        "--package",
        "server",
        "--bin",
        "usher",
    ];
    check(cargo(&words))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target().join(folder).join("usher"))
}

fn lay_out(tree: &Path, binary: &Path) -> Result<(), String> {
    let usher = tree.join("usr/bin/usher");
    put(&usher, &fs::read(binary).map_err(at(binary))?, 0o755)?;
    // What debuggers want is several times what the machine wants.
    check_quietly(Command::new("strip").arg("--strip-debug").arg(&usher))?;
    for (from, to) in FILES {
        let from = root().join(from);
        put(&tree.join(to), &fs::read(&from).map_err(at(&from))?, 0o644)?;
    }
    fs::create_dir_all(tree.join("etc/usher")).map_err(at(tree))?;
    let example = said(Command::new(&usher).args(["config", "defaults"]))?;
    put(&tree.join(EXAMPLE), example.as_bytes(), 0o644)?;
    for (shell, to) in COMPLETIONS {
        let text = said(Command::new(&usher).args(["completions", shell]))?;
        put(&tree.join(to), text.as_bytes(), 0o644)?;
    }
    let pages = tree.join(PAGES);
    said(Command::new(&usher).arg("man").arg(&pages))?;
    for page in listed(&pages)? {
        check_quietly(Command::new("gzip").args(["-9", "-n"]).arg(page))?;
    }
    Ok(())
}

fn control(tree: &Path, version: &str, machine: &str) -> Result<(), String> {
    let libc = said(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let libc = libc.split_whitespace().last().unwrap_or("2.31").to_owned();
    let bytes: u64 = sizes(tree)?;
    let text = format!(
        "Package: usher\n\
         Version: {version}\n\
         Architecture: {machine}\n\
         Maintainer: The Usher developers <usher@usher.invalid>\n\
         Installed-Size: {}\n\
         Depends: libc6 (>= {libc}), libgcc-s1, passwd\n\
         Section: net\n\
         Priority: optional\n\
         Description: sells seats when everyone comes at once\n \
         A self-hosted, replicated engine for selling seats: waiting room, holds,\n \
         payments, tickets. One binary; a cluster needs no database beside it.\n",
        bytes.div_ceil(1_024)
    );
    put(&tree.join("DEBIAN/control"), text.as_bytes(), 0o644)?;
    for script in SCRIPTS {
        let from = root().join("deploy/debian").join(script);
        let text = fs::read(&from).map_err(at(&from))?;
        put(&tree.join("DEBIAN").join(script), &text, 0o755)?;
    }
    Ok(())
}

/// Unpacks the package, and has its binary say who it is and whether its example is a good one.
fn inspect(package: &Path, scratch: &Path, version: &str) -> Result<(), String> {
    if scratch.exists() {
        fs::remove_dir_all(scratch).map_err(at(scratch))?;
    }
    check_quietly(Command::new("dpkg-deb").arg("-x").arg(package).arg(scratch))?;
    let listing = said(Command::new("dpkg-deb").arg("-c").arg(package))?;
    let wanted = FILES.iter().chain(&COMPLETIONS).map(|(_, to)| *to);
    for file in wanted.chain([EXAMPLE, "usr/share/man/man1/usher-cluster-drain.1.gz"]) {
        if !scratch.join(file).is_file() || !listing.contains(file) {
            return Err(format!("the package lacks {file}"));
        }
    }
    let other = listing.lines().find(|line| !line.contains(" root/root "));
    if let Some(other) = other {
        return Err(format!("somebody else's: {other}"));
    }
    let usher = scratch.join("usr/bin/usher");
    let who = said(Command::new(&usher).arg("--version"))?;
    if who.trim() != format!("usher {version}") {
        return Err(format!("the package's binary says {who}"));
    }
    // The example lacks one thing, which nobody may copy.
    let mut example = Command::new(&usher);
    example.args(["config", "check"]).arg(scratch.join(EXAMPLE));
    said(example.env("USHER_SECRET", "0".repeat(64)))?;
    Ok(())
}

fn architecture() -> Result<String, String> {
    said(Command::new("dpkg").arg("--print-architecture")).map(|text| text.trim().to_owned())
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let parent = path.parent().expect("it is in the tree");
    fs::create_dir_all(parent).map_err(at(parent))?;
    fs::write(path, bytes).map_err(at(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))
}

fn listed(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(dir).map_err(at(dir))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(at(dir))
}

fn sizes(path: &Path) -> Result<u64, String> {
    if !path.is_dir() {
        return Ok(fs::metadata(path).map_err(at(path))?.len());
    }
    listed(path)?.iter().map(|path| sizes(path)).sum()
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

/// What a command prints; its complaint when it fails.
fn said(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!(
            "{program}: {}",
            String::from_utf8_lossy(&done.stderr)
        )),
    }
}

fn check_quietly(command: &mut Command) -> Result<(), String> {
    said(command).map(|_| ())
}
