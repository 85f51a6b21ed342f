//! A node's certificates in use: towards other nodes, and towards operators, whose certificates say
//! what they may do.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use raft_node::platform::tls::{Caller, Tls, TlsError, TlsFiles, node_name, role_name};

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
        Ok(Some(Self {
            peers: Arc::new(Tls::load(files.clone(), &name, &["h2"])?),
            admin: Arc::new(Tls::load(files, &name, &["http/1.1"])?),
        }))
    }

    /// Looks at the files for ever, and uses what is new and good.
    pub fn keep_fresh(&self) -> impl Future<Output = ()> + Send + 'static {
        let both = [self.peers.clone(), self.admin.clone()];
        async move {
            let mut told = None;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                for tls in &both {
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
}

/// What a caller may ask of the operators' listener: all of it, a look, or nothing.
pub fn admitted(router: &Router, cluster: u128, caller: &Caller) -> Router {
    if caller.is_named(&role_name(cluster, OPERATOR)) {
        router.clone()
    } else if caller.is_named(&role_name(cluster, READER)) {
        router.clone().layer(middleware::from_fn(look_only))
    } else {
        Router::new().fallback(nobody)
    }
}

async fn look_only(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    refused("this certificate may look and not change: one of the role `operator` is needed")
}

async fn nobody() -> Response {
    refused(
        "this certificate has no role here; make one with `usher cert create-client --role operator`",
    )
}

fn refused(detail: &str) -> Response {
    problem(StatusCode::FORBIDDEN, "ROLE_MISSING", detail.to_owned())
}
