//! `privacy`: exports or erases everything that is stored about one person.

use clap::Subcommand;
use serde::Serialize;

use super::CliError;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::keys;
use crate::service::reports::names::pseudonym_key;
use crate::store::encryption::wipe_freed;
use crate::store::privacy::{Erased, Held, Mention, Person};
use crate::store::{Place, Store};
use crate::ticket::TenantId;

#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Print as JSON everything that is stored about one person: texts, and shares of decided clocks
    Export {
        /// A technician's name, mail address, number, or id at SuperOps
        person: String,
        /// Of this tenant: needed where there are several
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
    },
    /// Replace a person's name, address and number with a pseudonym everywhere; the service must be stopped
    Erase {
        /// A technician's name, mail address, number, or id at SuperOps
        person: String,
        /// Of this tenant: needed where there are several
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Do it; else only say what would be changed
        #[arg(long)]
        yes: bool,
    },
}

/// Everything that is stored about one person.
#[derive(Serialize)]
struct Export {
    person: Person,
    /// Texts that name the person, as they stand.
    texts: Vec<Mention>,
    /// How many more texts name the person or somebody with the same name: they do not say which.
    unclear: usize,
    /// What the books count for the person.
    shares: Vec<Held>,
}

/// Runs the command.
pub async fn privacy(config: Config, command: PrivacyCommand) -> Result<(), CliError> {
    match command {
        PrivacyCommand::Export { person, tenant } => export(&config, &person, tenant.as_deref()).await,
        PrivacyCommand::Erase { person, tenant, yes } => erase(&config, &person, tenant.as_deref(), yes).await,
    }
}

async fn export(config: &Config, person: &str, tenant: Option<&str>) -> Result<(), CliError> {
    let store = super::existing_store(config, Default::default()).await?;
    let tenant = tenant_of(config, tenant)?;
    let person = only(store.persons(&tenant, person).await?, &tenant, person)?;
    let (texts, shares) = (store.mentions(&person).await?, store.held_by(&person).await?);
    let (texts, others): (Vec<_>, Vec<_>) = texts.into_iter().partition(|text| text.is_sure);
    super::print(&super::as_json(&Export { person, texts, unclear: others.len(), shares })?)?;
    store.close().await;
    Ok(())
}

async fn erase(config: &Config, person: &str, tenant: Option<&str>, yes: bool) -> Result<(), CliError> {
    let tenant = tenant_of(config, tenant)?;
    let place = Place::from(&config.store);
    super::there_is(&place).await?;
    // What runs would write the name again from what it remembers.
    let claim = yes.then(|| Store::claim(&config.store)).transpose()?;
    let store = Store::open_by(&config.store, claim.as_ref(), Default::default()).await?;
    let found = store.persons(&tenant, person).await?;
    if yes && found.is_empty() && store.is_wipe_due().await? {
        store.close().await;
        wipe(&place).await?;
        return super::print(&format!(
            "nobody of `{tenant}` is known as `{person}`; an earlier erasure was interrupted at its end: now the file was \
             rewritten, so no old data is left in it\n"
        ));
    }
    let person = only(found, &tenant, person)?;
    let now = SystemClock.now();
    if yes && store.is_led(now).await? {
        return Err(CliError::usage(
            "a service runs on this database, and would write the name again: stop all replicas",
        ));
    }
    let key = pseudonym_key(&store, now).await.map_err(anyhow::Error::from)?;
    let pseudonym =
        format!("Technician {}", keys::pseudonym(&key, person.tenant.as_str(), "technician", person.id.as_str()));
    if yes {
        let erased = store.erase_person(&person, &pseudonym, super::token::at_the_command_line(), now).await?;
        store.close().await;
        wipe(&place).await?;
        super::print(&done(&pseudonym, &erased, &place))
    } else {
        let texts = store.mentions(&person).await?.len();
        store.close().await;
        super::print(&format!(
            "{texts} texts name {} (id {}), who would be called {pseudonym}; nothing is changed yet: add --yes\n",
            person.known_by.join(", "),
            person.id
        ))
    }
}

fn done(pseudonym: &str, erased: &Erased, place: &Place) -> String {
    let wiped = match place {
        Place::File(_) => "The file was rewritten, so no old data is left in it.",
        Place::Server(_) => "Run VACUUM FULL to remove the old data that the server still holds.",
    };
    format!(
        "now called {pseudonym}: {} texts, {} numbers and {} archived files\n\
         The counts, and the hashes of closed months, are as they were. Delete the person at SuperOps too, and from the \
         configuration: whatever is still there will come back. {wiped}\n",
        erased.texts, erased.numbers, erased.files
    )
}

fn tenant_of(config: &Config, name: Option<&str>) -> Result<TenantId, CliError> {
    match (name, config.tenants.keys().collect::<Vec<_>>().as_slice()) {
        (Some(name), _) => super::tenant_named(config, name),
        (None, [only]) => Ok((*only).clone()),
        (None, _) => Err(CliError::usage("say of which tenant: --tenant")),
    }
}

/// Wipes from the file what no row holds any more.
async fn wipe(place: &Place) -> Result<(), CliError> {
    let wiped = wipe_freed(place).await;
    Ok(wiped.map_err(|error| {
        anyhow::anyhow!(
            "no row names the person any more, but the file could not be rewritten, so the name may still be in freed \
             parts of it: {error}. Make room for a second file of its size beside it, and run this again"
        )
    })?)
}

fn only(mut found: Vec<Person>, tenant: &TenantId, text: &str) -> Result<Person, CliError> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(CliError::usage(format!(
            "nobody of `{tenant}` is known as `{text}`: give a technician's name, address or id"
        ))),
        _ => {
            let ids: Vec<_> = found.iter().map(|one| one.id.to_string()).collect();
            Err(CliError::usage(format!("`{text}` may be any of {}: give the id", ids.join(", "))))
        }
    }
}
