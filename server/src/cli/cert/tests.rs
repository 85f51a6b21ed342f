//! What is made here is what nodes accept.

use std::path::Path;

use clap::Parser;
use raft_node::platform::tls::{Tls, TlsFiles, node_name};
use uuid::Uuid;

use super::{Args, run};
use crate::cli::CliError;

const CLUSTER: Uuid = Uuid::from_u128(0x0190_b1a0);

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    args: Args,
}

fn cert(dir: &Path, words: &str) -> Result<(), CliError> {
    let words = words.replace("CLUSTER", &format!("--cluster-id {CLUSTER}"));
    let mut line: Vec<String> = vec!["cert".to_owned()];
    line.extend(words.split_whitespace().map(str::to_owned));
    line.extend(["--dir".to_owned(), dir.display().to_string()]);
    let parsed = Line::try_parse_from(line).map_err(|e| CliError::Invalid(e.to_string()))?;
    run(parsed.args).map(|_| ())
}

fn files(dir: &Path, stem: &str) -> TlsFiles {
    TlsFiles {
        ca: dir.join("ca.pem"),
        cert: dir.join(format!("{stem}.pem")),
        key: dir.join(format!("{stem}.key")),
    }
}

#[test]
fn what_the_authority_signs_is_accepted_under_its_name_and_under_no_other() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    cert(dir, "create-ca").unwrap();
    cert(
        dir,
        "create-node CLUSTER --node 2 --host 127.0.0.1 --host n2.example",
    )
    .unwrap();
    cert(dir, "create-client CLUSTER --role operator --name anna").unwrap();

    let load = |name: &str| Tls::load(files(dir, "node-2"), name, &["h2"]).map(drop);
    load(&node_name(CLUSTER.as_u128(), 2)).unwrap();
    load("127.0.0.1").unwrap();
    load("n2.example").unwrap();
    // When they end, as their files say; see `usher cert --help` for how long that is.
    let ends = Tls::load(files(dir, "node-2"), "127.0.0.1", &["h2"])
        .unwrap()
        .expiry();
    let ends: Vec<_> = ends
        .iter()
        .map(|end| (end.path.clone(), end.at_s))
        .collect();
    let platform = raft_node::platform::Platform::os(dir).unwrap();
    let now_s = platform.clock.now_ms() / 1_000;
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert_eq!(
        (&ends[0].0, &ends[1].0),
        (&dir.join("ca.pem"), &dir.join("node-2.pem"))
    );
    let day_s = 86_400;
    assert!(
        (now_s + 20 * day_s..now_s + 4_000 * day_s).contains(&ends[1].1),
        "{ends:?}"
    );
    assert!(
        ends[0].1 >= ends[1].1,
        "an authority outlives what it signs: {ends:?}"
    );
    let other = load(&node_name(CLUSTER.as_u128(), 3)).unwrap_err();
    assert!(other.to_string().contains("node-3."), "{other}");
    Tls::load_caller(files(dir, "anna"), &["http/1.1"])
        .map(drop)
        .unwrap();
    let as_node = Tls::load(files(dir, "anna"), "127.0.0.1", &["h2"]).map(drop);
    assert!(as_node.is_err(), "a person is no node");

    use std::os::unix::fs::PermissionsExt;
    for key in ["ca.key", "node-2.key", "anna.key"] {
        let mode = std::fs::metadata(dir.join(key))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn files_that_exist_are_kept_and_nonsense_makes_none() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let refused = |words: &str, says: &str| {
        let error = cert(dir, words).unwrap_err().to_string();
        assert!(error.contains(says), "{words}: {error}");
    };
    refused("create-node CLUSTER --node 1 --host 127.0.0.1", "ca.key");
    cert(dir, "create-ca").unwrap();
    let before = std::fs::read(dir.join("ca.key")).unwrap();
    refused("create-ca", "ca.pem exists");
    assert_eq!(std::fs::read(dir.join("ca.key")).unwrap(), before);
    refused("create-node CLUSTER --node 0 --host 127.0.0.1", "--node");
    refused("create-node CLUSTER --node 1", "--host");
    refused(
        "create-node CLUSTER --node 1 --host http://n1",
        "--host http://n1",
    );
    refused(
        "create-node CLUSTER --node 1 --host 127.0.0.1 --days 0",
        "--days",
    );
    refused("create-client CLUSTER --role king --name anna", "king");
    refused("create-client CLUSTER --role reader --name ca", "--name");
    refused(
        "create-client CLUSTER --role reader --name ../anna",
        "--name",
    );
    let made: Vec<_> = std::fs::read_dir(dir).unwrap().collect();
    assert_eq!(made.len(), 2, "the authority alone: {made:?}");
}
