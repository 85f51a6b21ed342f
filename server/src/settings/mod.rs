//! A node's settings, put together: what the program brings along, then the file (TOML), then the
//! environment, then flags; what comes later counts. For each key it stays known where its value came
//! from.
//!
//! `USHER_HTTP` is `http`, `USHER_RAFT__HEARTBEAT_MS` is `heartbeat_ms` in `[raft]`. A key or a variable
//! that nobody knows is refused with the nearest one that is known: a typing error must not become a
//! default that nobody wanted.

mod known;
mod nearest;
mod print;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub use self::known::{KNOWN, Key, Kind, variable};
pub use self::print::{REDACTED, defaults, print, print_config};
use crate::node::config::{Config, ConfigError, told};
use nearest::nearest;

/// Variables of the program that are no settings of a node.
const OTHERS: [&str; 6] = [
    "USHER_CONFIG",
    "USHER_LOG",
    "USHER_API_KEY_FILE",
    "USHER_TLS_CA",
    "USHER_TLS_CERT",
    "USHER_TLS_KEY",
];
/// What container platforms put into the environment of everybody beside a service called `usher`.
const FOREIGN: [&str; 2] = ["USHER_SERVICE_", "USHER_PORT"];

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program.
    Default,
    /// The file.
    File(PathBuf),
    /// A variable.
    Variable(String),
    /// A flag, as it was written.
    Flag(String),
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Together they make no node.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key that nobody knows.
    #[error("{place}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// The file or flag.
        place: String,
        /// The key.
        key: String,
        /// The nearest one.
        hint: String,
    },
    /// A variable that nobody knows.
    #[error("the environment has {name}, which is no setting{hint}; unset it")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The nearest one.
        hint: String,
    },
    /// A value that is not of its key's kind.
    #[error("{place}: {reason}")]
    Value {
        /// The variable or flag.
        place: String,
        /// What is wrong with it. Not the value itself: it may be a secret.
        reason: String,
    },
}

/// What a node is started with, before it is put together.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The file.
    pub file: Option<PathBuf>,
    /// All variables; those that do not begin with `USHER_` are nobody's business.
    pub variables: BTreeMap<String, String>,
    /// `key=value`.
    pub flags: Vec<String>,
}

/// Settings, and where each came from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What they come to.
    pub config: Config,
    sources: BTreeMap<&'static str, Source>,
}

impl Layers {
    /// A file, this process's environment, and flags.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<String>) -> Self {
        // A variable that is no text is not one of ours.
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self {
            file,
            variables: variables.collect(),
            flags,
        }
    }

    /// Puts them together and checks the whole.
    pub fn settle(&self) -> Result<Settings, SettingsError> {
        let mut table = Table::new();
        let mut sources = BTreeMap::new();
        if let Some(path) = &self.file {
            table = read(path)?;
            for key in keys_of(&table, path)? {
                sources.insert(key.path, Source::File(path.clone()));
            }
        }
        for (name, value) in &self.variables {
            if let Some(key) = key_of(name)? {
                put(&mut table, key, parsed(key, value, name)?, name)?;
                sources.insert(key.path, Source::Variable(name.clone()));
            }
        }
        for flag in &self.flags {
            let (path, value) = flag.split_once('=').ok_or_else(|| SettingsError::Value {
                place: format!("--set {flag}"),
                reason: "is not KEY=VALUE".to_owned(),
            })?;
            let place = format!("--set {path}");
            let key = known::key(path).ok_or_else(|| unknown_key(&place, path))?;
            put(&mut table, key, parsed(key, value, &place)?, &place)?;
            sources.insert(key.path, Source::Flag(place));
        }
        let config: Config = table.try_into().map_err(|error: toml::de::Error| {
            let path = self.file.clone();
            ConfigError::Parse {
                path: path.unwrap_or_else(|| "the environment".into()),
                reason: error.message().to_owned(),
            }
        })?;
        config.validate()?;
        Ok(Settings { config, sources })
    }
}

impl Settings {
    /// Where a key's value came from.
    pub fn source(&self, key: &Key) -> &Source {
        self.sources.get(key.path).unwrap_or(&Source::Default)
    }
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.into(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Parse {
        path: path.into(),
        reason: told(&text, &error),
    })
}

/// The keys that a file sets, each of them known.
fn keys_of(table: &Table, path: &Path) -> Result<Vec<&'static Key>, SettingsError> {
    let place = path.display().to_string();
    let mut keys = Vec::new();
    for (name, value) in table {
        match (known::key(name), value) {
            (Some(key), _) => keys.push(key),
            (None, Value::Table(inner)) if known::is_table(name) => {
                for name in inner.keys().map(|inner| format!("{name}.{inner}")) {
                    keys.push(known::key(&name).ok_or_else(|| unknown_key(&place, &name))?);
                }
            }
            (None, _) => return Err(unknown_key(&place, name)),
        }
    }
    Ok(keys)
}

fn unknown_key(place: &str, key: &str) -> SettingsError {
    let paths = KNOWN.iter().map(|key| key.path.to_owned());
    SettingsError::UnknownKey {
        place: place.to_owned(),
        key: key.to_owned(),
        hint: nearest(key, paths),
    }
}

/// The key that a variable sets; none where it is none of ours.
fn key_of(name: &str) -> Result<Option<&'static Key>, SettingsError> {
    let foreign = |prefix: &&str| name.starts_with(prefix);
    if !name.starts_with("USHER_") || OTHERS.contains(&name) || FOREIGN.iter().any(foreign) {
        return Ok(None);
    }
    let key = KNOWN.iter().find(|key| variable(key) == name);
    key.map(Some).ok_or_else(|| {
        let all = KNOWN.iter().map(variable);
        let all = all.chain(OTHERS.iter().map(|other| (*other).to_owned()));
        SettingsError::UnknownVariable {
            name: name.to_owned(),
            hint: nearest(name, all),
        }
    })
}

/// A value that was given as text.
fn parsed(key: &Key, text: &str, place: &str) -> Result<Value, SettingsError> {
    if key.kind == Kind::Text {
        return Ok(Value::String(text.to_owned()));
    }
    let line: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let value = line.ok().and_then(|mut line| line.remove("value"));
    let fits = value.filter(|value| match key.kind {
        Kind::Text => value.is_str(),
        Kind::Number => value.is_integer(),
        Kind::Switch => value.is_bool(),
        Kind::List | Kind::Names => value.is_array(),
    });
    fits.ok_or_else(|| SettingsError::Value {
        place: place.to_owned(),
        reason: format!("{} is {}", key.path, key.kind.words()),
    })
}

fn put(table: &mut Table, key: &Key, value: Value, place: &str) -> Result<(), SettingsError> {
    let Some((section, name)) = key.path.split_once('.') else {
        table.insert(key.path.to_owned(), value);
        return Ok(());
    };
    let inner = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    let inner = inner.as_table_mut().ok_or_else(|| SettingsError::Value {
        place: place.to_owned(),
        reason: format!("{section} is no table in the file"),
    })?;
    inner.insert(name.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests;
