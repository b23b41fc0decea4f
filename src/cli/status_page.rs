//! `status-page`: writes the public page as files, to be served from anywhere; and manages pages for one client each,
//! behind links that nobody can guess.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::status::{printable, table};
use super::token::at_the_command_line;
use super::{CliError, uptime};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::service::Reach;
use crate::service::private_pages::{PrivatePageOrder, PrivatePageView};
use crate::status_page::{Documents, Model, publish};
use crate::store::millis;

#[derive(Debug, Args)]
pub struct StatusPageArgs {
    /// Write the page and all its documents into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Where that folder will be served, like https://status.example.com: for the links of the feeds
    #[arg(long, value_name = "URL", requires = "out")]
    url: Option<String>,
    #[command(subcommand)]
    command: Option<StatusPageCommand>,
}

#[derive(Debug, Subcommand)]
enum StatusPageCommand {
    /// Make a link to the page of one client's services; it is shown this once
    Link {
        /// The client, as components name it
        #[arg(long, value_name = "NAME")]
        client: String,
        /// Needed where several tenants have a client of that name
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// Show the links that were made, and which were revoked
    Links {
        /// Print JSON, for other programs
        #[arg(long)]
        json: bool,
    },
    /// Revoke a link, so that it stops working
    Revoke {
        /// The link, by its id
        id: String,
    },
}

/// Runs the command.
pub async fn status_page(config: Config, args: StatusPageArgs) -> Result<(), CliError> {
    if config.uptime.status_page.is_none() {
        return Err(CliError::usage("there is no status page: add [status_page] to the configuration"));
    }
    match (args.command, args.out) {
        (None, Some(out)) => write(config, &out, args.url).await,
        (None, None) => Err(CliError::usage("say what to do: `--out DIR`, `link`, `links` or `revoke`")),
        (Some(StatusPageCommand::Link { client, tenant, json }), _) => {
            link(config, PrivatePageOrder { client, tenant }, json).await
        }
        (Some(StatusPageCommand::Links { json }), _) => links(config, json).await,
        (Some(StatusPageCommand::Revoke { id }), _) => revoke(config, &id).await,
    }
}

/// Writes the public page as it is now, each file whole or not at all.
async fn write(config: Config, out: &Path, url: Option<String>) -> Result<(), CliError> {
    let (service, store) = uptime::watching(config).await?;
    let config = service.config();
    let Some(page) = &config.uptime.status_page else { return Ok(()) };
    let now = millis(SystemClock.now());
    let (board, announcements) = (service.board(), service.announcements());
    let model = Model::of(config, page, &board, &announcements, |one| one.public, now);
    let documents = Documents::render(&model.copied(url));
    publish::write_to(&documents, out)
        .map_err(|error| anyhow::anyhow!("`{}` cannot be written: {error}", out.display()))?;
    super::print(&format!("{} files in {}\n", documents.iter().count(), out.display()))?;
    store.close().await;
    Ok(())
}

async fn link(config: Config, order: PrivatePageOrder, json: bool) -> Result<(), CliError> {
    let (service, store) = super::offline_service(config).await?;
    let made = service.make_private_page(&Reach::All, &order, at_the_command_line()).await?;
    store.close().await;
    let tenant = order.tenant.as_deref().unwrap_or_default();
    let made = made.ok_or_else(|| CliError::usage(format!("`--tenant` is `{tenant}`, and there is no such tenant")))?;
    let text = if json { super::as_json(&made)? } else { format!("{}\n", made.link) };
    super::print(&text)?;
    Ok(())
}

async fn links(config: Config, json: bool) -> Result<(), CliError> {
    let (service, store) = super::offline_service(config).await?;
    let pages = service.private_pages(&Reach::All).await?;
    store.close().await;
    if json {
        super::print(&super::as_json(&pages)?)?;
    } else if pages.is_empty() {
        super::print("no client has a page of their own yet; `status-page link --client NAME` makes a link\n")?;
    } else {
        let rows: Vec<_> = pages.iter().map(row).collect();
        super::print(&table(["ID", "TENANT", "CLIENT", "MADE", "STATE"], &rows, |_| ("", "")))?;
    }
    Ok(())
}

fn row(page: &PrivatePageView) -> [String; 5] {
    let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    [
        page.id.clone(),
        page.tenant.clone(),
        printable(&page.client),
        time(page.made_at),
        page.revoked_at.map_or_else(|| "good".to_owned(), |at| format!("revoked {}", time(at))),
    ]
}

async fn revoke(config: Config, id: &str) -> Result<(), CliError> {
    let (service, store) = super::offline_service(config).await?;
    let revoked = service.revoke_private_page(&Reach::All, id, at_the_command_line()).await?;
    store.close().await;
    let page = revoked
        .ok_or_else(|| anyhow::anyhow!("no valid link has the id `{id}`; `status-page links` shows them all"))?;
    super::print(&format!("revoked {} of {}; it stops working within two seconds\n", page.id, page.client))?;
    Ok(())
}
