//! A cluster in a directory, as the operator of the document has it before them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::demo::children::ports::free_address;
use server::demo::children::{Cluster, Plan};
use server::demo::door::Doors;
use server::demo::opening;
use server::http_client::{Pool, Request, bearer};

const USHER: &str = env!("CARGO_BIN_EXE_usher");
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Where the document's operator finds a node that runs.
const ADMIN: &str = "127.0.0.1:8091";

/// The cluster, and what the operator started beside it.
pub struct Scene {
    pub cluster: Cluster,
    pub dir: tempfile::TempDir,
    started: Vec<Started>,
}

struct Started {
    child: Child,
    http: SocketAddr,
    admin: SocketAddr,
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Scene {
    /// A new cluster of so many nodes that is ready.
    pub async fn of(nodes: u64) -> Self {
        let mut scene = Self::before(nodes);
        for index in 0..scene.cluster.nodes.len() {
            scene.cluster.start_node(index).expect("it starts");
        }
        scene.cluster.begin().await.expect("they are ready");
        scene.run("usher cluster watch").await;
        scene
    }

    /// Files of so many nodes that nobody has started.
    pub fn before(nodes: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let plan = Plan {
            nodes,
            shards: 2,
            dir: dir.path().to_owned(),
            first_port: None,
        };
        let cluster = Cluster::lay_out(&plan, USHER.into()).expect("ports and a provider");
        cluster.write_configs().expect("files");
        Self {
            cluster,
            dir,
            started: Vec::new(),
        }
    }

    /// The file of a node that may join, and the directory for its data.
    pub fn prepare(&self, id: u64) {
        self.prepare_after("node-1.toml", id);
    }

    /// The same after the file of this member.
    pub fn prepare_after(&self, member: &str, id: u64) {
        let addresses = free_addresses();
        let mut config = self.config(member);
        config.insert("node_id".into(), toml::Value::Integer(id as i64));
        self.place(&mut config, id, "", &addresses);
        let peers = config["peers"].as_array().expect("peers").clone();
        let contact = peers.into_iter().next_back().expect("a member");
        config.insert("peers".into(), vec![contact, peer(id, addresses[1])].into());
        self.write(&format!("node-{id}.toml"), &config);
    }

    /// Files for a new cluster in `new/` that goes on with the state of this one.
    pub fn prepare_heirs(&self) {
        let nodes: Vec<_> = (1..=3).map(|id| (id, free_addresses())).collect();
        let peers = nodes.iter().map(|(id, addresses)| peer(*id, addresses[1]));
        let peers: Vec<toml::Value> = peers.collect();
        std::fs::create_dir_all(self.dir.path().join("new")).expect("a directory");
        for (id, addresses) in &nodes {
            let mut config = self.config(&format!("node-{id}.toml"));
            let lineage = config["cluster_id"].clone();
            config.insert("lineage".into(), lineage);
            let fresh = "0190b1a0-0000-7000-8000-00000000ee00";
            config.insert("cluster_id".into(), fresh.into());
            config.insert("peers".into(), peers.clone().into());
            self.place(&mut config, *id, "new/", addresses);
            self.write(&format!("new/node-{id}.toml"), &config);
        }
    }

    fn place(&self, config: &mut toml::Table, id: u64, below: &str, addresses: &[SocketAddr]) {
        let data = self.dir.path().join(format!("{below}data-{id}"));
        config.insert("data_dir".into(), data.display().to_string().into());
        for (name, address) in ["http", "peer", "admin"].iter().zip(addresses) {
            config.insert((*name).into(), address.to_string().into());
        }
    }

    fn config(&self, name: &str) -> toml::Table {
        let text = std::fs::read_to_string(self.dir.path().join(name)).expect("a node's file");
        text.parse().expect("TOML")
    }

    fn write(&self, name: &str, config: &toml::Table) {
        std::fs::write(self.dir.path().join(name), config.to_string()).expect("a file");
    }

    /// A member that the operator started before, and that has all replicas.
    pub async fn joined(&mut self, id: u64) {
        self.prepare(id);
        self.run_here(&format!("usher start --join --config node-{id}.toml"))
            .await;
        self.run("usher cluster watch").await;
    }

    /// Every node of the cluster is gone, as before a restore; its provider is not.
    pub fn stop_all(&mut self) {
        let all: Vec<usize> = (0..self.cluster.nodes.len()).collect();
        self.cluster.kill_nodes(&all);
    }

    /// An operator has filled in a file of settings: as a node's is.
    pub fn fill_in(&self, name: &str) {
        let made = self.dir.path().join(name);
        assert!(made.metadata().is_ok_and(|file| file.len() > 0), "{name}");
        std::fs::copy(self.dir.path().join("node-1.toml"), made).expect("a file");
    }

    /// The disks of these nodes are lost.
    pub fn lose(&self, nodes: &[u64]) {
        for node in nodes {
            let data = self.dir.path().join(format!("node-{node}"));
            std::fs::remove_dir_all(data).expect("it had a directory");
        }
    }

    /// Types a command of the document.
    pub async fn run_here(&mut self, command: &str) {
        match command.strip_prefix("usher start ") {
            None => self.run(command).await,
            Some(words) => {
                let mut words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
                let config = words.last().expect("a file").clone();
                words.push("--exit-with-parent".to_owned());
                self.start(&words, &config);
                if command.contains("--join") {
                    self.all_ready().await;
                }
            }
        }
    }

    fn start(&mut self, words: &[String], config: &str) {
        let parsed = self.config(config);
        let address = |name: &str| -> SocketAddr {
            let text = parsed[name].as_str().expect("an address");
            text.parse().expect("an address")
        };
        let log = self.dir.path().join(format!("{config}.log"));
        let child = Command::new(USHER)
            .arg("start")
            .args(words)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log).expect("a log"))
            .spawn();
        self.started.push(Started {
            child: child.expect("usher starts"),
            http: address("http"),
            admin: address("admin"),
        });
    }

    /// Waits until every node that the operator started is ready.
    pub async fn all_ready(&self) {
        self.all_say_yes("/readyz").await;
    }

    /// Waits until every node that the operator started runs.
    pub async fn all_alive(&self) {
        self.all_say_yes("/livez").await;
    }

    async fn all_say_yes(&self, probe: &str) {
        for node in &self.started {
            let (pool, start) = (Pool::new(node.http, 1), Instant::now());
            loop {
                let answer = pool.call(&Request::get(probe), ANSWER_WITHIN).await;
                match answer {
                    Ok(answer) if answer.status == 200 => break,
                    other => assert!(start.elapsed() < READY_WITHIN, "{probe}: {other:?}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    /// Runs a command to its end, which has to be a good one.
    async fn run(&self, command: &str) {
        let command = self.with_addresses(command);
        let (dir, line) = (self.dir.path().to_owned(), command.clone());
        let done = tokio::task::spawn_blocking(move || shell(&dir, &line));
        let output = done.await.expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        eprintln!("$ {command}\n{said}");
        assert!(
            output.status.success(),
            "{command}: {}\n{said}",
            output.status
        );
    }

    /// The command with the addresses that this scene has for those of the document.
    fn with_addresses(&self, command: &str) -> String {
        let admins = self.cluster.admins();
        let mut command = command.replace(ADMIN, &admins[0].to_string());
        for (number, admin) in admins.iter().enumerate() {
            let named = format!("HOST{}:8091", number + 1);
            command = command.replace(&named, &admin.to_string());
        }
        let cluster = self.config("node-1.toml")["cluster_id"].clone();
        let cluster = cluster.as_str().expect("an id").to_owned();
        command = command.replace("CLUSTER_ID", &cluster);
        let mut asking = ["usher cluster", "usher init"].iter();
        let asks = asking.any(|words| command.starts_with(words));
        if asks && !command.contains("--admin") {
            command = format!("{command} --admin {}", admins[0]);
        }
        command
    }

    /// What the first node, or the first that the operator started, says to operators.
    pub async fn view(&self, path: &str) -> Value {
        let own = self.cluster.nodes[0]
            .pid()
            .map(|_| self.cluster.nodes[0].admin);
        let admin = own.unwrap_or_else(|| self.started[0].admin);
        let pool = Pool::new(admin, 1);
        let answer = pool.call(&Request::get(path), ANSWER_WITHIN).await;
        answer.expect("an answer").json().expect("JSON")
    }

    /// A number of every node, by id.
    pub async fn counts(&self, what: &str) -> Vec<(u64, u64)> {
        let members = self.view("/admin/members").await;
        let nodes = members["nodes"].as_array().expect("nodes").iter();
        let count = |node: &Value| Some((node["id"].as_u64()?, node[what].as_u64()?));
        nodes.map(|node| count(node).expect("a number")).collect()
    }

    /// Somebody holds two seats of a new event; its id.
    pub async fn sell(&self) -> String {
        let doors = self.cluster.doors();
        let event = json!({
            "name": "Hamlet", "venue": "Globe", "opens_at": "2020-01-01T00:00:00Z",
            "currency": "EUR", "hold_seconds": 600, "max_per_order": 8, "max_per_buyer": 8,
            "queue": null,
            "sections": [{"name": "S", "rows": 4, "seats_per_row": 10, "price": 1_000}],
        });
        let opened = opening::create(&doors, &event).await.expect("an event");
        let doors = Doors::new(&doors, 1);
        let token = opening::token(&doors, "ann", "buyer")
            .await
            .expect("a token");
        let headers = format!("{}Idempotency-Key: one\r\n", bearer(&token));
        let body = json!({"event_id": opened.event, "best_available": {"count": 2}}).to_string();
        let request = Request::post("/api/v1/seats/reserve", body.as_bytes());
        let request = request.with_headers(&headers);
        let pool = Pool::new(self.cluster.doors()[0], 1);
        for _ in 0..100 {
            let answer = pool.call(&request, ANSWER_WITHIN).await;
            if answer.is_ok_and(|answer| answer.status == 201) {
                return opened.event;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nothing is sold");
    }

    /// How many seats of an event are held, by a node that the operator started.
    pub async fn held(&self, event: &str) -> u64 {
        let pool = Pool::new(self.started[0].http, 1);
        let path = format!("/api/v1/events/{event}");
        let answer = pool.call(&Request::get(&path), ANSWER_WITHIN).await;
        let event: Value = answer.expect("an answer").json().expect("JSON");
        event["counts"]["held"].as_u64().expect("a count")
    }
}

fn peer(id: u64, address: SocketAddr) -> toml::Value {
    let mut peer = toml::Table::new();
    peer.insert("id".into(), toml::Value::Integer(id as i64));
    peer.insert("addr".into(), address.to_string().into());
    peer.into()
}

fn free_addresses() -> [SocketAddr; 3] {
    [(); 3].map(|()| free_address().expect("a free port"))
}

/// What a shell says to a line in which `usher` is the program that was built.
fn shell(dir: &Path, line: &str) -> std::process::Output {
    let programs = PathBuf::from(USHER);
    let programs = programs.parent().expect("a program is in a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let shell = Command::new("sh")
        .args(["-c", line])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", programs.display()))
        .output();
    shell.expect("there is a shell")
}
