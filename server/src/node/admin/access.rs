//! Who may ask for what at the operators' listener: each route says it in its own row, so that there is
//! none without. Whoever asks is known to the handler by name, for the trail.
//!
//! Where certificates are asked for, the certificate's role counts; a key of the API (`Authorization:
//! Bearer usher_...`) names who it is and takes nothing more than its role has. Without certificates
//! whoever reaches the listener may do everything, and a key still binds its holder.

use api::AppState;
use api::auth::{Role, key};
use api::problem::{Code, Problem};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;
use cluster::catalogue::{Deed, Who};

/// What a caller has to be allowed at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Least {
    /// To look.
    Look,
    /// To change.
    Change,
}

/// A route: who may ask, and who answers.
pub struct Row<S> {
    /// Its method, for those who read the table.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// Who may ask.
    pub least: Least,
    /// Who answers.
    pub handler: fn() -> MethodRouter<S>,
}

/// A route that looks.
pub const fn look<S>(path: &'static str, handler: fn() -> MethodRouter<S>) -> Row<S> {
    Row {
        method: Method::GET,
        path,
        least: Least::Look,
        handler,
    }
}

/// A route that changes.
pub const fn change<S>(
    method: Method,
    path: &'static str,
    handler: fn() -> MethodRouter<S>,
) -> Row<S> {
    Row {
        method,
        path,
        least: Least::Change,
        handler,
    }
}

/// All routes of a table, each behind its gate.
pub fn routes<S: Clone + Send + Sync + 'static>(rows: &[Row<S>], door: &AppState) -> Router<S> {
    rows.iter().fold(Router::new(), |router, row| {
        let gate = Gate {
            door: door.clone(),
            least: row.least,
        };
        let guarded = (row.handler)().layer(from_fn_with_state(gate, keep));
        router.route(row.path, guarded)
    })
}

/// What a certificate said of whoever called, put beside the request by the listener.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The certificate's common name.
    pub name: String,
    /// The role it names.
    pub role: &'static str,
    /// What that role may do.
    pub may: Least,
}

/// Who asks, for handlers that change something.
#[derive(Clone, Debug)]
pub struct By {
    id: u128,
    who: Who,
    may: Least,
    request: String,
}

impl By {
    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// What they are allowed, whatever this request asks for.
    pub fn may(&self) -> Least {
        self.may
    }

    /// The request's name, as in logs.
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The record of what they do. A request does one thing: all its records are one.
    pub fn deed(&self, action: &str, about: impl Into<String>) -> Deed {
        Deed {
            id: self.id,
            who: self.who.clone(),
            request: self.request.clone(),
            action: action.to_owned(),
            about: about.into(),
        }
    }
}

#[derive(Clone)]
struct Gate {
    door: AppState,
    least: Least,
}

async fn keep(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let name = gate.door.request_name(request.headers());
    let (who, may) = match gate.admits(&request) {
        Ok(admitted) => admitted,
        Err(problem) => return problem.render(&name),
    };
    let by = By {
        id: gate.door.drawn_id(),
        who,
        may,
        request: name.clone(),
    };
    let changes = gate.least == Least::Change;
    let what = changes.then(|| format!("{} {}", request.method(), request.uri().path()));
    let who = by.who.clone();
    request.extensions_mut().insert(by);
    let mut response = next.run(request).await;
    if let Some(what) = what {
        let status = response.status().as_u16();
        tracing::info!(request = name, ?who, what, status, "an operator asked");
    }
    if let Ok(value) = HeaderValue::from_str(&name) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

impl Gate {
    /// Who asks, and what they are allowed.
    fn admits(&self, request: &Request) -> Result<(Who, Least), Problem> {
        let shown = request.extensions().get::<Shown>();
        if let Some(shown) = shown {
            self.need(shown.may, shown.role)?;
        }
        let may = shown.map_or(Least::Change, |shown| shown.may);
        let bearer = request.headers().get(header::AUTHORIZATION);
        let bearer = bearer.and_then(|value| value.to_str().ok());
        let is_key = |text: &str| text.split(' ').any(|word| word.starts_with(key::PREFIX));
        if bearer.is_some_and(is_key) {
            let caller = self.door.caller(request.headers())?;
            caller.unbound()?;
            let role_may = match caller.role {
                Role::Operator => Least::Change,
                Role::ReadOnly => Least::Look,
                other => return Err(none(other.name())),
            };
            self.need(role_may, caller.role.name())?;
            return Ok((self.door.who(&caller), may.min(role_may)));
        }
        let who = shown.map_or(Who::Unproven, |shown| Who::Certificate {
            name: shown.name.clone(),
            role: shown.role.to_owned(),
        });
        Ok((who, may))
    }

    fn need(&self, may: Least, role: &str) -> Result<(), Problem> {
        if may >= self.least {
            return Ok(());
        }
        let detail = format!("{role} may look and not change: the role operator is needed");
        Err(Problem::new(Code::RoleMissing, detail))
    }
}

fn none(role: &str) -> Problem {
    let detail = format!("{role} has no business here: the role operator or read-only is needed");
    Problem::new(Code::RoleMissing, detail)
}
