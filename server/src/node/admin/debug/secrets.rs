//! Taking secrets out of text: those this node was given, wherever they stand, and keys of the API, which
//! are known by their shape. The second line of defence: the first is that nobody logs them.

use api::auth::key;
use toml::Table;

use crate::node::config::Config;
use crate::settings::{KNOWN, REDACTED};

/// Shorter ones would take words out of sentences.
const BYTES_MIN: usize = 8;

/// What must not be told.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Those in a node's settings.
    pub(super) fn of(config: &Config) -> Self {
        let table = Table::try_from(config).expect("settings are plain data");
        let secret = KNOWN.iter().filter(|key| key.secret);
        let values = secret.filter_map(|key| {
            let value = match key.path.split_once('.') {
                None => table.get(key.path),
                Some((section, name)) => table.get(section)?.get(name),
            };
            Some(value?.as_str()?.to_owned())
        });
        let url = &config.payments.url;
        let in_url = credentials(url).into_iter().map(str::to_owned);
        let mut all: Vec<String> = values.chain(in_url).collect();
        all.retain(|secret| secret.len() >= BYTES_MIN);
        // The longest first: one may be part of another.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(all)
    }

    /// The text without them.
    pub(super) fn removed(&self, text: &str) -> String {
        let told = self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), REDACTED)
        });
        without_credentials(&told)
    }
}

/// The text without keys of the API and identity providers' tokens, which are known by their shape.
pub fn without_credentials(text: &str) -> String {
    without_keys(&without_tokens(text))
}

/// What in an URL may be a secret: who asks, and what follows the path.
fn credentials(url: &str) -> Vec<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let query = rest.split_once('?').map(|(_, query)| query);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user
        .and_then(|user| user.split_once(':'))
        .map(|(_, word)| word);
    [user, password, query].into_iter().flatten().collect()
}

/// An URL without whatever in it may be a secret, however short.
pub(super) fn bare(url: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, _)) => (address, format!("?{REDACTED}")),
        None => (url, String::new()),
    };
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let end = rest.find(['/', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}{path}{query}")
}

/// `usher_<id>_<secret>` becomes `usher_<id>_<redacted>`; whatever looks like the beginning of one, too.
fn without_keys(text: &str) -> String {
    let mut parts = text.split(key::PREFIX);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        told.push_str(key::PREFIX);
        let end = part.find(|at: char| !at.is_ascii_hexdigit() && at != '_');
        let (word, rest) = part.split_at(end.unwrap_or(part.len()));
        match word.split_once('_') {
            // Half a key, or one that was mistyped, may be most of one.
            Some((id, secret)) if id.len() == 16 || secret.len() >= 16 => {
                told.push_str(id);
                told.push('_');
                told.push_str(REDACTED);
            }
            // A metric's name, or the like.
            _ => told.push_str(word),
        }
        told.push_str(rest);
    }
    told
}

/// Tokens of identity providers, and what follows `Bearer`.
fn without_tokens(text: &str) -> String {
    let is_token = |at: char| at.is_ascii_alphanumeric() || matches!(at, '.' | '_' | '-' | '=');
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    // Every JSON Web Token begins so.
    while let Some(begin) = rest.find("eyJ") {
        let (before, token) = rest.split_at(begin);
        let end = token.find(|at| !is_token(at)).unwrap_or(token.len());
        told.push_str(before);
        let (token, after) = token.split_at(end);
        told.push_str(if token.contains('.') { REDACTED } else { token });
        rest = after;
    }
    told.push_str(rest);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_tokens_and_keys_go_and_the_rest_stays() {
        let secrets = Secrets(vec!["whsec_0123".to_owned()]);
        let key = format!("usher_{}_{}", "0123456789abcdef", "ab".repeat(32));
        let cases = [
            ("nothing of that kind", "nothing of that kind"),
            ("webhook whsec_0123 came", "webhook <redacted> came"),
            (
                &*format!("by {key}, twice: {key}"),
                "by usher_0123456789abcdef_<redacted>, twice: usher_0123456789abcdef_<redacted>",
            ),
            (
                "usher_raft_term{group=\"1\"} 2",
                "usher_raft_term{group=\"1\"} 2",
            ),
            (
                "Bearer eyJhbGciOi.eyJzdWIi.c2ln-_, and on",
                "Bearer <redacted>, and on",
            ),
            ("usher_ab12_0123456789abcdef01", "usher_ab12_<redacted>"),
            ("eyJ is no token", "eyJ is no token"),
        ];
        for (text, told) in cases {
            assert_eq!(secrets.removed(text), told);
        }
    }

    #[test]
    fn an_url_may_have_secrets_before_and_after_its_host() {
        let found = credentials("http://anna:hunter22@pay.example:9000/x?token=abcdefgh");
        assert_eq!(found, ["anna:hunter22", "hunter22", "token=abcdefgh"]);
        assert!(credentials("http://pay.example:9000/x@y").is_empty());
        for (url, told) in [
            (
                "http://a:b@pay.example:9000/x?t=1",
                "http://<redacted>@pay.example:9000/x?<redacted>",
            ),
            ("http://pay.example:9000/x@y", "http://pay.example:9000/x@y"),
            ("http://pay.example:9000", "http://pay.example:9000"),
        ] {
            assert_eq!(bare(url), told);
        }
    }
}
