//! `token create`, `token list`, `token revoke`: who may use the API and the page.
//!
//! Each returns what belongs on stdout. A new token is printed there alone, so that
//! `TOKEN=$(superops-sla token create --role viewer)` works.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::Subcommand;
use serde_json::json;

use super::CliError;
use super::status::{padded, width_of};
use crate::alert::life::Actor;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, duration};
use crate::store::tokens::{Author, NewToken, Role, Token, TokenRecord};
use crate::store::{Place, Store, StoreError};
use crate::ticket::TenantId;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token and print it, once only
    Create {
        /// A viewer reads; a responder also acknowledges, snoozes and silences; an admin changes the rest
        #[arg(long, value_name = "viewer|responder|admin")]
        role: Role,
        /// Only this tenant's data; else all tenants'
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Who or what it is for, as the audit log names it
        #[arg(long, value_name = "WORDS", default_value = "")]
        name: String,
        /// How long it is valid, such as 90d; else it lasts until it is revoked
        #[arg(long, value_name = "LENGTH", value_parser = duration::parse)]
        expires: Option<TimeDelta>,
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// List the tokens, without their secret parts
    List {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token
    Revoke {
        /// As `token list` shows it
        id: String,
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
}

/// Why a token could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("no valid token has the id `{0}`; `token list` shows them all")]
    UnknownToken(String),
    #[error("the operating system gives no random bytes")]
    NoRandomness(#[source] getrandom::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs the command.
pub(super) async fn token(config: Config, command: TokenCommand) -> Result<(), CliError> {
    // A token may be made before the service runs for the first time.
    if !matches!(command, TokenCommand::Create { .. }) {
        super::there_is(&Place::from(&config.store)).await?;
    }
    let store = Store::open(&config.store, Arc::default()).await?;
    let now = SystemClock.now();
    let answer = match command {
        TokenCommand::Create { role, tenant, name, expires, json } => {
            if expires.is_some_and(|length| length <= TimeDelta::zero()) {
                return Err(CliError::usage("`--expires` must be more than zero: the token would expire at once"));
            }
            let tenant = tenant.map(|name| super::tenant_named(&config, &name)).transpose()?;
            let asked = Asked { role, tenant, name, expires_at: expires.map(|length| now + length) };
            create(&store, asked, json, now).await?
        }
        TokenCommand::List { json } => list(&store, json).await?,
        TokenCommand::Revoke { id, json } => revoke(&store, &id, json, now).await?,
    };
    store.close().await;
    super::print(&format!("{}\n", answer.trim_end()))
}

/// The properties of a new token.
pub struct Asked {
    pub role: Role,
    /// None: for all tenants.
    pub tenant: Option<TenantId>,
    pub name: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a token.
pub async fn create(store: &Store, asked: Asked, json: bool, now: DateTime<Utc>) -> Result<String, TokenError> {
    let Asked { role, tenant, name, expires_at } = asked;
    let name = NewToken::cleaned(&name);
    let token = Token::generate().map_err(TokenError::NoRandomness)?;
    let new = NewToken { name, role, tenant, expires_at };
    let record = store.add_named_token(&token, new, at_the_command_line(), now).await?;
    if !json {
        return Ok(format!("{}\n", token.expose()));
    }
    let mut shown = json!(record);
    shown["token"] = json!(token.expose());
    Ok(pretty(&shown))
}

/// Lists all tokens, the newest first.
pub async fn list(store: &Store, json: bool) -> Result<String, TokenError> {
    let tokens = store.tokens().await?;
    if json {
        return Ok(pretty(&json!(tokens)));
    }
    if tokens.is_empty() {
        return Ok("no tokens yet; `token create --role viewer` makes one\n".to_owned());
    }
    let width = |column: fn(&TokenRecord) -> &str, head: &str| {
        tokens.iter().map(|token| width_of(column(token))).max().unwrap_or(0).max(head.len())
    };
    let widths = (width(TokenRecord::reach, "TENANT"), width(|token| &token.name, "NAME"));
    let head = format!(
        "{:<12}  {:<9}  {:<reach$}  {:<name$}  {:<20}  {:<20}  STATE\n",
        "ID",
        "ROLE",
        "TENANT",
        "NAME",
        "CREATED",
        "LAST USED",
        reach = widths.0,
        name = widths.1
    );
    Ok(tokens.iter().fold(head, |text, token| text + &line(token, widths)))
}

/// Revokes the token `id`.
pub async fn revoke(store: &Store, id: &str, json: bool, now: DateTime<Utc>) -> Result<String, TokenError> {
    let revoked = store.revoke_token(id, at_the_command_line(), now).await?;
    let token = revoked.ok_or_else(|| TokenError::UnknownToken(id.to_owned()))?;
    Ok(if json { pretty(&json!(token)) } else { format!("revoked {} ({})\n", token.id, token.role.as_str()) })
}

fn line(token: &TokenRecord, (reach, name): (usize, usize)) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let state = match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {}", time(at)),
        (None, Some(at)) => format!("good until {}", time(at)),
        (None, None) => "good".to_owned(),
    };
    let (role, tenant, created) = (token.role.as_str(), token.reach(), time(token.created_at));
    let used = token.last_used_at.map_or_else(|| "never".to_owned(), time);
    let (id, tenant, who) = (&token.id, padded(tenant, reach), padded(&token.name, name));
    format!("{id:<12}  {role:<9}  {tenant}  {who}  {created:<20}  {used:<20}  {state}\n")
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// Returns the author of a command; the login name is the best we know about who that is.
pub(super) fn at_the_command_line() -> Author {
    let who = ["SUDO_USER", "USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let who = who.as_deref().and_then(Actor::named).or_else(login_name);
    Author { who: who.unwrap_or_else(|| "unknown".to_owned()), origin: "command line".to_owned() }
}

/// Returns the system's name for the user if the environment gives none, as in a container or under a scheduler.
fn login_name() -> Option<String> {
    let id = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(name_of(id, &users).unwrap_or_else(|| format!("user {id}")))
}

/// Returns the name of the user `id` from the lines of a passwd file.
fn name_of(id: u32, users: &str) -> Option<String> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut fields = fields.filter(|fields| fields.get(2).is_some_and(|uid| *uid == id.to_string()));
    fields.next().map(|fields| fields[0].to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn who_runs_it_is_called_as_the_system_calls_them() {
        let users = "root:x:0:0:root:/root:/bin/sh\nmia:x:1000:1000:Mia:/home/mia:/bin/sh\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("mia"));
        assert_eq!(name_of(10, users), None);
        assert_ne!(login_name(), None);
    }

    fn asked(role: Role, tenant: Option<&str>) -> Asked {
        let expires_at = Some(now() + chrono::TimeDelta::days(90));
        let tenant = tenant.map(|name| TenantId::parse(name).unwrap());
        Asked { role, tenant, name: "wall screen".to_owned(), expires_at }
    }

    #[tokio::test]
    async fn a_token_is_made_listed_and_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        assert!(list(&store, false).await.unwrap().contains("token create"), "says what to do first");

        let token = create(&store, asked(Role::Admin, Some("acme")), false, now()).await.unwrap();
        assert!(token.starts_with("sla_") && token.split_whitespace().count() == 1, "alone on stdout");
        let listed = list(&store, false).await.unwrap();
        let id = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap();
        insta::assert_snapshot!(listed.replace(id, "[twelve hex]"), @r"
        ID            ROLE       TENANT  NAME         CREATED               LAST USED             STATE
        [twelve hex]  admin      acme    wall screen  2027-01-15T08:00:00Z  never                 good until 2027-04-15T08:00:00Z
        ");
        assert_eq!(revoke(&store, id, false, now()).await.unwrap(), format!("revoked {id} (admin)\n"));
        assert!(list(&store, false).await.unwrap().contains("revoked 2027-01-15T08:00:00Z"));
        let again = revoke(&store, id, false, now()).await.unwrap_err().to_string();
        assert!(again.contains("token list"), "{again}");
    }

    #[tokio::test]
    async fn json_shows_the_token_when_made_and_never_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("sla.db"), Arc::default()).await.unwrap();
        let made = create(&store, asked(Role::Viewer, None), true, now()).await.unwrap();
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        assert!(made["token"].as_str().unwrap().starts_with("sla_"));
        assert_eq!((&made["role"], &made["tenant"]), (&json!("viewer"), &serde_json::Value::Null));
        assert!(!list(&store, true).await.unwrap().contains("sla_"));
    }
}
