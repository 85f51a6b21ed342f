//! What browsers may ask of the operators' listener: its own page, and nothing on behalf of another one.
//!
//! On loopback whoever reaches the listener may do everything, and any web site that an operator visits
//! reaches it, through the operator's browser. Browsers say where a request comes from, so requests that
//! another origin made are refused (`Origin`, `Sec-Fetch-Site`), and so are those meant for a name that is
//! not this listener's (`Host`): a site whose name is made to lead here (DNS rebinding) would count as the
//! listener's own. Programs send neither of the first two, and an address as the third.

use std::net::Ipv6Addr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::access::Shown;
use super::problem;

/// The names under which a listener may be asked for, beside `localhost` and addresses.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<[String]>);

impl Names {
    /// Host names, without ports.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    fn has(&self, host: &str) -> bool {
        // A final dot is part of a full name.
        let host = host.strip_suffix('.').unwrap_or(host);
        let known = |name: &String| name.eq_ignore_ascii_case(host);
        host.eq_ignore_ascii_case("localhost") || is_address(host) || self.0.iter().any(known)
    }
}

/// The middleware around all routes of operators.
pub async fn keep_to_itself(State(names): State<Names>, request: Request, next: Next) -> Response {
    // Where certificates are asked for, the browser has compared the name with the node's.
    let named = request.extensions().get::<Shown>().is_some();
    let verdict = judge(&request, &names, named);
    match verdict {
        Ok(()) => next.run(request).await,
        Err(why) => {
            tracing::warn!(why, "a request was refused at the operators' port");
            problem(StatusCode::FORBIDDEN, "ORIGIN_FOREIGN", why)
        }
    }
}

fn judge(request: &Request, names: &Names, named: bool) -> Result<(), String> {
    let headers = request.headers();
    let host = one(headers, header::HOST.as_str())?;
    if let Some(host) = host.filter(|_| !named)
        && !names.has(without_port(host))
    {
        return Err(format!(
            "this listener is not called {host:?}: ask for its address or localhost, or name it in the \
             setting admin_names"
        ));
    }
    if let Some(origin) = one(headers, header::ORIGIN.as_str())? {
        let from = origin.split_once("://").map(|(_, authority)| authority);
        let own = from
            .zip(host)
            .is_some_and(|(from, host)| from.eq_ignore_ascii_case(host));
        if !own {
            return Err(format!("the page of {origin:?} has no business here"));
        }
    }
    match one(headers, "sec-fetch-site")? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if opens_the_page(request) => Ok(()),
        Some(site) => Err(format!("another page ({site}) has no business here")),
    }
}

/// Following a link to the page does nothing and tells the other page nothing.
fn opens_the_page(request: &Request) -> bool {
    let says = |name, word: &str| {
        request
            .headers()
            .get(name)
            .is_some_and(|value| value == word)
    };
    request.method() == Method::GET
        && request.uri().path() == "/"
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// The value of a header, which must not be there twice.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("the header {name} cannot be read")),
        },
        (Some(_), Some(_)) => Err(format!("the header {name} is there twice")),
    }
}

fn without_port(host: &str) -> &str {
    let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    }
}

/// Whether it is an address, which nobody else's name server decides about.
fn is_address(host: &str) -> bool {
    let six = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match six {
        Some(six) => six.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), String> {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let request = request.body(Body::empty()).expect("a request");
        let names = Names::new(["ops.example".to_owned()]);
        judge(&request, &names, false)
    }

    const OWN: (&str, &str) = ("host", "127.0.0.1:8091");

    #[test]
    fn programs_are_served_under_every_address_and_under_names_that_are_known() {
        for host in [
            "127.0.0.1:8091",
            "127.0.0.1",
            "[::1]:8091",
            "[::1]",
            "localhost:8091",
            "LOCALHOST",
            "localhost.",
            "ops.example:8091",
            "OPS.example.",
        ] {
            assert_eq!(
                asked("POST", "/admin/init", &[("host", host)]),
                Ok(()),
                "{host}"
            );
        }
        assert_eq!(asked("GET", "/admin/status", &[]), Ok(()));
    }

    #[test]
    fn a_name_that_somebody_else_leads_here_is_no_name_of_this_listener() {
        for host in [
            "evil.example:8091",
            "127.0.0.1.evil.example:8091",
            "localhost.evil.example",
            "",
            "evil.example:",
            "[::1].evil.example",
            "2130706433",
            "ops.example.evil",
        ] {
            for method in ["GET", "POST"] {
                assert!(
                    asked(method, "/admin/status", &[("host", host)]).is_err(),
                    "{host}"
                );
            }
        }
        let both = [OWN, ("host", "evil.example")];
        assert!(asked("GET", "/admin/status", &both).is_err());
    }

    #[test]
    fn another_pages_requests_are_refused_and_the_own_ones_are_not() {
        let from = |origin| asked("POST", "/admin/init", &[OWN, ("origin", origin)]);
        assert_eq!(from("http://127.0.0.1:8091"), Ok(()));
        for foreign in [
            "http://127.0.0.1:3000",
            "http://localhost:8091",
            "https://evil.example",
            "null",
            "http://127.0.0.1:8091.evil.example",
            "",
            "127.0.0.1:8091",
        ] {
            assert!(from(foreign).is_err(), "{foreign}");
        }
        let sent = |site| asked("GET", "/admin/live", &[OWN, ("sec-fetch-site", site)]);
        assert_eq!((sent("same-origin"), sent("none")), (Ok(()), Ok(())));
        for site in ["cross-site", "same-site", "whatever"] {
            assert!(sent(site).is_err(), "{site}");
        }
    }

    #[test]
    fn a_link_elsewhere_opens_the_page_and_nothing_else() {
        let link = [
            OWN,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(asked("GET", "/", &link), Ok(()));
        assert!(asked("GET", "/admin/status", &link).is_err());
        assert!(asked("POST", "/", &link).is_err());
        let framed = [link[0], link[1], link[2], ("sec-fetch-dest", "iframe")];
        assert!(asked("GET", "/", &framed).is_err());
    }
}
