//! The payment provider's process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use super::{Error, Node, Plan, open_log, tail};

/// The provider and its process.
#[derive(Debug)]
pub struct ProviderProcess {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its ledger.
    pub ledger: PathBuf,
    pub(super) child: Child,
}

impl ProviderProcess {
    pub(super) fn start(
        program: &Path,
        plan: &Plan,
        nodes: &[Node],
        secret: &str,
    ) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Hello {
            listening: SocketAddr,
        }
        let (ledger, log) = (
            plan.dir.join("provider.jsonl"),
            plan.dir.join("provider.log"),
        );
        let mut command = Command::new(program);
        command.args([
            "sandbox-provider",
            "--exit-with-parent",
            "--listen",
            "127.0.0.1:0",
        ]);
        command
            .args(["--secret", secret])
            .arg("--ledger")
            .arg(&ledger);
        for node in nodes {
            command.arg("--webhook");
            command.arg(format!("http://{}/webhooks/payments/sandbox", node.http));
        }
        let spawn = |source| Error::Spawn {
            what: "the payment provider".to_owned(),
            source,
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(open_log(&log)?);
        let mut child = command.spawn().map_err(spawn)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(spawn)?;
        }
        let Ok(hello) = serde_json::from_str::<Hello>(&line) else {
            let _ = child.kill();
            let status = child
                .wait()
                .map_or_else(|error| error.to_string(), |s| s.to_string());
            let (what, tail) = ("the payment provider".to_owned(), tail(&log));
            return Err(Error::Ended {
                what,
                status,
                log,
                tail,
            });
        };
        Ok(Self {
            address: hello.listening,
            ledger,
            child,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}
