//! A node's certificates in use: towards other nodes, and towards operators, whose certificates say
//! what they may do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Router};
use raft_node::platform::tls::{Caller, Tls, TlsError, TlsFiles, node_name, role_name};

use super::admin::access::{Least, Shown};
use super::admin::problem;
use super::config::Config;

/// How soon a file that was replaced is used, at the latest.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// May do everything.
pub const OPERATOR: &str = "operator";
/// May look at everything and change nothing.
pub const READER: &str = "reader";

/// What a node shows at its two guarded listeners.
pub struct NodeTls {
    /// To other nodes.
    pub peers: Arc<Tls>,
    /// To operators.
    pub admin: Arc<Tls>,
}

impl NodeTls {
    /// Reads and checks what the configuration names; nothing when it names nothing.
    pub fn load(config: &Config) -> Result<Option<Self>, TlsError> {
        let Some(paths) = &config.tls else {
            return Ok(None);
        };
        let files = TlsFiles {
            ca: paths.ca.clone(),
            cert: paths.cert.clone(),
            key: paths.key.clone(),
        };
        let name = node_name(config.cluster_id.as_u128(), config.node_id);
        let [peers, admin] = Tls::load_both(files, &name, [&["h2"], &["http/1.1"]])?;
        let (peers, admin) = (Arc::new(peers), Arc::new(admin));
        Ok(Some(Self { peers, admin }))
    }

    /// Looks at the files for ever, and uses what is new and good.
    pub fn keep_fresh(&self) -> impl Future<Output = ()> + Send + 'static {
        // Both are faces of the same files.
        let tls = self.admin.clone();
        async move {
            let mut told = None;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                match tls.reload() {
                    Ok(false) => {}
                    Ok(true) => {
                        told = None;
                        tracing::info!("certificates were replaced; new connections use them");
                    }
                    Err(error) => {
                        // Once, not every five seconds: half of a replacement looks like this.
                        let error = error.to_string();
                        if told.as_ref() != Some(&error) {
                            tracing::error!(error, "new certificates are not used");
                            told = Some(error);
                        }
                    }
                }
            }
        }
    }
}

/// The operators' routes for a caller: with what its certificate says of it, which each route asks
/// for (`admin/access.rs`), or nothing but a refusal.
pub fn admitted(router: &Router, cluster: u128, caller: &Caller) -> Router {
    let roles = [(OPERATOR, Least::Change), (READER, Least::Look)];
    let mut roles = roles.into_iter();
    match roles.find(|(role, _)| caller.is_named(&role_name(cluster, role))) {
        Some((role, may)) => router.clone().layer(Extension(Shown {
            name: caller.common_name().unwrap_or_default(),
            role,
            may,
        })),
        None => Router::new().fallback(nobody),
    }
}

async fn nobody() -> Response {
    let detail = "this certificate has no role here; make one with `usher cert create-client --role operator`";
    problem(StatusCode::FORBIDDEN, "ROLE_MISSING", detail.to_owned())
}
