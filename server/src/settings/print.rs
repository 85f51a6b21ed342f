//! Settings as a file that can be read again, and nobody's secret in it.

use std::fmt::Write;

use toml::{Table, Value};

use super::known::Need;
use super::{KNOWN, Key, Settings, Source, variable};
use crate::node::config::Config;

/// What stands in place of a secret.
pub const REDACTED: &str = "<redacted>";

const CANNOT_FAIL: &str = "writing to a string does not fail";

/// All settings as they are, each with where it came from. Secrets are not shown.
pub fn print(settings: &Settings) -> String {
    shown(&settings.config, |key| {
        let from = match settings.source(key) {
            Source::Default => "default".to_owned(),
            Source::File(path) => path.display().to_string(),
            Source::Variable(name) => format!("environment, {name}"),
            Source::Flag(flag) => format!("flag, {flag}"),
        };
        format!(" # {from}")
    })
}

/// What they came to, for those who do not know from where. Secrets are not shown.
pub fn print_config(config: &Config) -> String {
    shown(config, |_| String::new())
}

fn shown(config: &Config, remark: impl Fn(&Key) -> String) -> String {
    let table = Table::try_from(config).expect("settings are plain data");
    let mut text = String::new();
    let mut section = "";
    for key in KNOWN {
        let (within, name) = key.path.split_once('.').unwrap_or(("", key.path));
        let value = match within {
            "" => table.get(name),
            within => table.get(within).and_then(|inner| inner.get(name)),
        };
        let Some(value) = value else { continue };
        if section != within {
            section = within;
            writeln!(text, "\n[{section}]").expect(CANNOT_FAIL);
        }
        let shown = match key.secret {
            true => Value::String(REDACTED.to_owned()).to_string(),
            false => value.to_string(),
        };
        writeln!(text, "{name} = {shown}{}", remark(key)).expect(CANNOT_FAIL);
    }
    text
}

/// A file with every setting, its default and what it is for; it parses as it is.
pub fn defaults() -> String {
    let mut text = String::from(
        "# A node's settings. What is commented out shows the default, or an example.\n\
         # The environment counts more than this file, and flags (--set KEY=VALUE) more than both.\n",
    );
    let mut section = "";
    for key in KNOWN {
        let (within, name) = key.path.split_once('.').unwrap_or(("", key.path));
        if section != within {
            section = within;
            writeln!(text, "\n[{section}]").expect(CANNOT_FAIL);
        }
        let mark = match key.need {
            Need::Needed => "",
            Need::Optional => "#",
        };
        // A section of which nothing is needed has to be left out as a whole.
        if within == "tls" && text.ends_with("[tls]\n") {
            text.truncate(text.len() - "[tls]\n".len());
            text.push_str("#[tls]\n");
        }
        let variable = variable(key);
        writeln!(
            text,
            "\n# {} ({variable})\n{mark}{name} = {}",
            key.what, key.value
        )
        .expect(CANNOT_FAIL);
    }
    text
}
