//! Tries out what a configuration names on this machine, and its account for text messages.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::config::uptime::Check;
use crate::keys::ring::KeyRing;
use crate::notify::sms::SmsNotifier;
use crate::probe::may_ping;
use crate::probe::spec::Ask;
use crate::store::{At, Place, Store, StoreError, with_causes};

/// Twilio's account ids: `AC` and 32 hex digits.
const SID_LENGTH: usize = 34;
const TWILIO: &str = "https://api.twilio.com";

/// Lists what would keep the service from working, a sentence each.
pub async fn faults(config: &Config) -> Vec<String> {
    let place = Place::from(&config.store);
    let is_there = matches!(place.is_there().await, Ok(true));
    let is_ours = is_there && matches!(Store::claim(place.clone()), Err(StoreError::InUse(_)));
    let store = store(place, &config.store.keys).await.err();
    let port = if is_ours { None } else { port(config).await.err() };
    store.into_iter().chain(port).chain(account_sid(config)).chain(pings(config, may_ping())).collect()
}

/// Names the checks by ping if this machine may not send pings: their result would never be known.
fn pings(config: &Config, may_ping: bool) -> Option<String> {
    let is_ping = |check: &&Check| check.is_ours() && matches!(check.probe.ask, Ask::Icmp(_));
    let pings: Vec<_> = config.uptime.checks.iter().filter(is_ping).map(|check| check.id.as_str()).collect();
    (!pings.is_empty() && !may_ping).then(|| {
        format!(
            "{} can never be known: this machine does not allow echo requests; let the group of the service do so in \
             `net.ipv4.ping_group_range`",
            pings.join(", ")
        )
    })
}

async fn store(place: Place, keys: &Arc<KeyRing>) -> Result<(), String> {
    let shown = place.to_string();
    let unopened = |error: StoreError| format!("the store {shown} cannot be opened: {}", with_causes(&error));
    if place.is_there().await.map_err(unopened)? {
        let opened = Store::open(At { place, keys: keys.clone() }, Arc::default()).await;
        opened.map_err(unopened)?.close().await;
        return Ok(());
    }
    place.try_making().await.map_err(unopened)?;
    let Place::File(path) = place else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(format!(
            "the store {shown} cannot be created: its folder does not exist; create it, or change [store] url"
        ));
    }
    let tried = tempfile::Builder::new().prefix(".superops-sla-check").tempfile_in(folder);
    tried.map(drop).map_err(|error| format!("the store {shown} cannot be created: {}", why(&error)))
}

/// Checks that no other program listens on our address.
async fn port(config: &Config) -> Result<(), String> {
    let listen = config.server.listen;
    let tried = TcpListener::bind(listen).await;
    tried.map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{listen} is taken by another program: stop it, or change [server] listen")
        }
        _ => format!("nothing can listen on {listen}: {}; change [server] listen", why(&error)),
    })
}

fn account_sid(config: &Config) -> Option<String> {
    let sms = config.notify.sms.as_ref().filter(|sms| sms.account.base_url == TWILIO)?;
    let sid = &sms.account.account_sid;
    let is_one = sid.len() == SID_LENGTH && sid.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit());
    (!is_one).then(|| {
        format!(
            "notify.sms.account_sid is not a Twilio account: it has {} characters, and must be AC and 32 digits or \
             letters a to f, as the console shows it",
            sid.len()
        )
    })
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether the account can send, and why not; none if no text messages are set up.
pub async fn sms_account(config: &Config) -> Option<Result<String, String>> {
    let sms = config.notify.sms.as_ref()?;
    eprintln!("asking the SMS provider about the account …");
    let tried = match SmsNotifier::new(sms, Arc::new(SystemClock)) {
        Ok(notifier) => notifier.account().await,
        Err(error) => Err(error.to_string()),
    };
    Some(tried.map(|()| "the provider knows the account, and it is active".to_owned()))
}
