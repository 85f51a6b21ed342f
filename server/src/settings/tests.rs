use super::*;

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const FILE: &str = r#"
    cluster_id = "0190b1a0-0000-7000-8000-000000000001"
    node_id = 1
    data_dir = "data"
    http = "127.0.0.1:8080"
    peer = "127.0.0.1:8090"
    admin = "127.0.0.1:8091"
    secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    peers = [{ id = 1, addr = "127.0.0.1:8090" }]
    [payments]
    gateway = "sandbox"
    url = "http://127.0.0.1:9000"
    webhook_secret = "whsec_0123"
    [raft]
    heartbeat_ms = 200
"#;

struct Desk {
    _dir: tempfile::TempDir,
    layers: Layers,
}

fn desk(file: &str) -> Desk {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("node.toml");
    std::fs::write(&path, file).expect("written");
    Desk {
        _dir: dir,
        layers: Layers {
            file: Some(path),
            ..Layers::default()
        },
    }
}

impl Desk {
    fn variable(mut self, name: &str, value: &str) -> Self {
        let variables = &mut self.layers.variables;
        variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, flag: &str) -> Self {
        self.layers.flags.push(flag.to_owned());
        self
    }

    fn settled(&self) -> Settings {
        self.layers.settle().expect("good settings")
    }

    fn refused(&self) -> String {
        self.layers.settle().expect_err("refused").to_string()
    }
}

#[test]
fn flags_count_more_than_the_environment_that_more_than_the_file_that_more_than_defaults() {
    let desk = desk(FILE)
        .variable("USHER_HTTP", "127.0.0.1:1111")
        .variable("USHER_RAFT__ELECTION_MIN_MS", "600")
        .variable("USHER_PEERS", r#"[{ id = 1, addr = "a:1" }]"#)
        .variable("USHER_ADMIN", "127.0.0.1:2222")
        .flag("admin=127.0.0.1:3333")
        .flag("join=false");
    let settings = desk.settled();
    let config = &settings.config;
    assert_eq!(config.http.port(), 1111);
    assert_eq!(config.admin.port(), 3333);
    let raft = &config.raft;
    assert_eq!(
        (
            raft.heartbeat_ms,
            raft.election_min_ms,
            raft.election_max_ms
        ),
        (200, 600, 1_000)
    );
    assert_eq!(config.peer_map()[&1], "a:1");
    let from = |path| settings.source(known::key(path).expect("known")).clone();
    assert_eq!(
        from("raft.heartbeat_ms"),
        Source::File(desk.layers.file.clone().expect("set"))
    );
    assert_eq!(from("http"), Source::Variable("USHER_HTTP".to_owned()));
    assert_eq!(from("admin"), Source::Flag("--set admin".to_owned()));
    assert_eq!(from("shards"), Source::Default);
}

#[test]
fn what_nobody_knows_is_refused_with_what_was_meant() {
    let section = FILE.replace("heartbeat_ms", "hartbeat_ms");
    for (desk, named, meant) in [
        (desk(&format!("htpp = 1\n{FILE}")), "htpp", "http"),
        (desk(&section), "raft.hartbeat_ms", "raft.heartbeat_ms"),
        (desk(&format!("{FILE}\n[rift]\nx = 1")), "rift", ""),
        (
            desk(FILE).variable("USHER_HTPP", "x"),
            "USHER_HTPP",
            "USHER_HTTP",
        ),
        (
            desk(FILE).variable("USHER_RAFT_HEARTBEAT_MS", "1"),
            "USHER_RAFT_HEARTBEAT_MS",
            "USHER_RAFT__HEARTBEAT_MS",
        ),
        (
            desk(FILE).flag("raft.heartbeat=1"),
            "raft.heartbeat",
            "raft.heartbeat_ms",
        ),
    ] {
        let refused = desk.refused();
        assert!(refused.contains(named), "{refused}");
        assert!(
            meant.is_empty() || refused.contains(&format!("`{meant}`")),
            "{refused}"
        );
    }
    // Not ours: the program's other variables, and what container platforms add.
    desk(FILE)
        .variable("USHER_LOG", "json")
        .variable("USHER_TLS_CA", "x")
        .variable("USHER_PORT_8080_TCP", "tcp://10.0.0.1:8080")
        .variable("USHERS", "2")
        .settled();
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_by_name_and_not_repeated() {
    let wrong = "wh3re-d1d-th1s-come-from";
    for (name, key) in [
        ("USHER_NODE_ID", "node_id"),
        ("USHER_JOIN", "join"),
        ("USHER_PEERS", "peers"),
    ] {
        let refused = desk(FILE).variable(name, wrong).refused();
        assert!(refused.contains(name) && refused.contains(key), "{refused}");
        assert!(!refused.contains(wrong), "{refused}");
    }
    // Somebody forgot the end of a line: the line must not be told.
    let broken = FILE.replace("\"whsec_0123\"", "\"whsec_0123");
    let refused = desk(&broken).refused();
    assert!(
        refused.contains("line 13") && !refused.contains("whsec"),
        "{refused}"
    );
    let refused = desk(FILE).flag("payments.url=ftp://x").refused();
    assert!(refused.contains("payments.url"), "{refused}");
}

#[test]
fn settings_are_printed_with_their_sources_and_without_secrets_and_can_be_read_again() {
    let settings = desk(FILE)
        .variable("USHER_HTTP", "127.0.0.1:1111")
        .flag("zone=a")
        .settled();
    let printed = print(&settings);
    for line in [
        "http = \"127.0.0.1:1111\" # environment, USHER_HTTP",
        "zone = \"a\" # flag, --set zone",
        "secret = \"<redacted>\"",
        "webhook_secret = \"<redacted>\"",
        "election_min_ms = 500 # default",
    ] {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
    for secret in [SECRET, "whsec_0123"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let again: Table = toml::from_str(&printed).expect("what is printed is a file");
    assert_eq!(
        again["payments"]["url"].as_str(),
        Some("http://127.0.0.1:9000")
    );
}

#[test]
fn the_file_of_defaults_starts_a_node_once_it_has_a_secret() {
    let all = desk(&defaults()).variable("USHER_SECRET", SECRET).settled();
    assert_eq!(all.config.shards, 8);
    // What is commented out is what the program would take anyway.
    let text = defaults();
    let mut uncommented = String::new();
    for line in text.lines() {
        let key = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        uncommented.push_str(key.unwrap_or(line));
        uncommented.push('\n');
    }
    let explicit: Table = toml::from_str(&uncommented).expect("also a file");
    let defaults = Table::try_from(&all.config).expect("plain data");
    for key in KNOWN.iter().filter(|key| key.need == known::Need::Optional) {
        let of = |table: &Table| match key.path.split_once('.') {
            None => table.get(key.path).cloned(),
            Some((section, name)) => table.get(section)?.get(name).cloned(),
        };
        let has_default =
            !matches!(key.path, "secret" | "lineage") && !key.path.starts_with("tls.");
        if has_default {
            assert_eq!(of(&explicit), of(&defaults), "{}", key.path);
        }
    }
}

/// The table and the type know the same keys.
#[test]
fn every_field_of_a_configuration_is_known_and_every_known_key_is_a_field() {
    let text = format!(
        "lineage = \"0190b1a0-0000-7000-8000-000000000009\"\n{FILE}\n[tls]\nca = \"a\"\ncert = \"b\"\nkey = \"c\""
    );
    let config: Config = toml::from_str(&text).expect("all that can be said");
    let table = Table::try_from(&config).expect("plain data");
    let mut fields = Vec::new();
    for (name, value) in &table {
        match value.as_table() {
            Some(inner) => fields.extend(inner.keys().map(|key| format!("{name}.{key}"))),
            None => fields.push(name.clone()),
        }
    }
    let mut known: Vec<String> = KNOWN.iter().map(|key| key.path.to_owned()).collect();
    fields.sort();
    known.sort();
    assert_eq!(fields, known);
}
