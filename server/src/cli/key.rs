//! `usher key`: keys of the HTTP API for programs.

use std::process::ExitCode;

use api::auth::key::ApiKey;
use cluster::catalogue::KeyId;
use serde_json::json;

use super::admin_client::AdminClient;
use super::{CliError, say};
use crate::node::admin::KeyView;

/// Makes, lists and revokes keys of the HTTP API.
///
/// A key is shown in place of a token: `Authorization: Bearer usher_...`. Roles:
///
///   organizer   creates events and runs those that keys of its name created; with --event that one
///   operator    runs the sale of every event, and the cluster (admin listener)
///   gate        looks at tickets; with --event at those of that event only
///   read-only   looks at orders and feeds, and at what operators see; changes nothing
///
/// The cluster keeps a hash of it. Whoever loses a key makes another one of the same name and
/// revokes the lost one; it is refused at once where the revocation has arrived, and everywhere
/// within what `usher_raft_age_seconds` of group 0 says.
#[derive(Debug, clap::Subcommand)]
#[command(verbatim_doc_comment)]
pub enum Args {
    /// Makes a key and prints it, once: nobody can show it again.
    Create(Create),
    /// Lists keys. There is no secret in it.
    List(List),
    /// Makes a key worthless, for ever.
    Revoke(Revoke),
}

/// The key to make.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What its holder may do.
    #[arg(long, value_parser = ["organizer", "operator", "gate", "read-only"])]
    pub role: String,
    /// What people call it: "North gate".
    #[arg(long)]
    pub name: String,
    /// The one event it is for.
    #[arg(long, value_name = "ID")]
    pub event: Option<String>,
    /// When it ends by itself: 90s, 45m, 12h, 30d. Never when left out.
    #[arg(long, value_name = "TIME", value_parser = duration_s)]
    pub expires: Option<u64>,
    /// `host:port` of a node's admin listener; any node will do.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// JSON instead of words.
    #[arg(long)]
    pub json: bool,
}

/// Where to look.
#[derive(Debug, clap::Args)]
pub struct List {
    /// `host:port` of a node's admin listener; any node will do.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
    /// JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// The key to revoke.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Its id, as `usher key list` shows it.
    pub id: String,
    /// `host:port` of a node's admin listener; any node will do.
    #[arg(long, default_value = "127.0.0.1:8091")]
    pub admin: String,
}

/// Runs the command.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args {
        Args::Create(args) => create(args).await,
        Args::List(args) => list(args).await,
        Args::Revoke(args) => revoke(args).await,
    }
}

async fn create(args: Create) -> Result<ExitCode, CliError> {
    let key = drawn()?;
    let id = key.id.to_string();
    let request = json!({
        "id": id,
        "hash": api::text::hex(&key.hash()),
        "role": args.role,
        "name": args.name,
        "event": args.event,
        "expires_in_s": args.expires,
    });
    let client = AdminClient::new(&args.admin)?;
    client.post("/admin/keys", &request.to_string()).await?;
    if args.json {
        let answer = json!({ "id": id, "key": key.text(), "role": args.role, "name": args.name });
        say(&answer.to_string());
    } else {
        say(&key.text());
        say(&format!(
            "({} {:?}; keep it now, it is not shown again; usher key revoke {id} ends it)",
            args.role, args.name
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Drawn here: the cluster hears a hash of the secret, and no log or proxy the secret.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is no node, and nobody may be able to repeat this"
)]
fn drawn() -> Result<ApiKey, CliError> {
    let mut chance = [0; 40];
    getrandom::fill(&mut chance)
        .map_err(|error| CliError::Failed(format!("no random bytes: {error}")))?;
    Ok(ApiKey::from_chance(&chance))
}

async fn list(args: List) -> Result<ExitCode, CliError> {
    let keys: Vec<KeyView> = AdminClient::new(&args.admin)?
        .get_json("/admin/keys")
        .await?;
    if args.json {
        say(&serde_json::to_string(&keys).expect("keys are plain data"));
        return Ok(ExitCode::SUCCESS);
    }
    say("id                role       state    ends                      name");
    for key in keys {
        let ends = key.revoked_at.or(key.expires_at);
        let event = key
            .event
            .map_or(String::new(), |event| format!(" (event {event})"));
        say(&format!(
            "{}  {:<9}  {:<7}  {:<24}  {}{event}",
            key.id,
            key.role,
            key.state,
            ends.unwrap_or_else(|| "never".to_owned()),
            key.name,
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(args: Revoke) -> Result<ExitCode, CliError> {
    // An id may not lead anywhere else than to a key.
    if KeyId::parse(&args.id).is_none() {
        let shown = "is no id of a key: 16 hex digits, as usher key list shows them";
        return Err(CliError::Invalid(shown.to_owned()));
    }
    let client = AdminClient::new(&args.admin)?;
    client.delete(&format!("/admin/keys/{}", args.id)).await?;
    say(&format!("key {} is revoked", args.id));
    Ok(ExitCode::SUCCESS)
}

/// `30d` and its like, in seconds.
pub(super) fn duration_s(text: &str) -> Result<u64, String> {
    let wrong = || "a number with s, m, h or d, as in 30d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let whole = number.checked_mul(seconds).filter(|&whole| whole > 0);
    whole.ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::duration_s;

    #[test]
    fn times_are_read_with_their_unit_and_nothing_else_is() {
        assert_eq!(duration_s("90s"), Ok(90));
        assert_eq!(duration_s("30d"), Ok(30 * 86_400));
        for wrong in [
            "",
            "d",
            "30",
            "0d",
            "-1d",
            "1w",
            "1é",
            "99999999999999999999d",
        ] {
            assert!(duration_s(wrong).is_err(), "{wrong}");
        }
    }
}
