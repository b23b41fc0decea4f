//! `outpost`: looks at services for a watch that stands elsewhere.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;

use super::{CliError, run};
use crate::app::service_manager;
use crate::clock::SystemClock;
use crate::config::{LogFormat, Network, ProcessEnvironment, TokenSource, checks};
use crate::descriptors;
use crate::outpost::link::Link;
use crate::outpost::{Outpost, Wiring, host_and_port};
use crate::probe::Prober;
use crate::probe::address::AddressRules;

/// The environment variable that holds the token, unless a file is named.
const TOKEN: &str = "SUPEROPS_SLA_OUTPOST_TOKEN";

#[derive(Debug, Args)]
pub struct OutpostArgs {
    /// The address of the watch, such as https://sla.example.com
    #[arg(long, value_name = "URL", value_parser = checks::base_url)]
    watch: String,
    /// The file with the outpost's token; else it is in the environment variable SUPEROPS_SLA_OUTPOST_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A private network that may be asked from here, such as 10.20.0.0/16; may be repeated
    #[arg(long, value_name = "NETWORK", value_parser = Network::parse)]
    allow_network: Vec<Network>,
    /// A host:port that is always there: if none answers, our own line is cut; else those of the watch. May be repeated
    #[arg(long, value_name = "HOST:PORT", value_parser = canary)]
    canary: Vec<(String, u16)>,
    /// Log lines as JSON
    #[arg(long)]
    log_json: bool,
}

fn canary(text: &str) -> Result<(String, u16), String> {
    host_and_port(text).ok_or_else(|| "must be a host with its port, such as one.one.one.one:443".to_owned())
}

/// Looks at services until it is told to stop.
pub async fn outpost(args: OutpostArgs) -> Result<(), CliError> {
    super::log(if args.log_json { LogFormat::Json } else { LogFormat::Text }, "info");
    descriptors::raise();
    let source = args.token_file.map_or_else(|| TokenSource::Env(TOKEN.to_owned()), TokenSource::File);
    let token = source.read(&ProcessEnvironment).map_err(|error| {
        let named = match &source {
            TokenSource::Env(name) => format!("the environment variable {name}"),
            TokenSource::File(path) => format!("the file {}", path.display()),
        };
        CliError::usage(format!("{named} {error}; it holds the token that the watch has for this [outposts.NAME]"))
    })?;
    let wiring = Wiring {
        link: Link::new(args.watch, token).map_err(anyhow::Error::from)?,
        clock: Arc::new(SystemClock),
        prober: Prober::new().map_err(anyhow::Error::from)?,
        env: Arc::new(ProcessEnvironment),
        addresses: AddressRules { allowed: args.allow_network, own_port: None },
        canaries: args.canary,
    };
    let stop = watch::Sender::new(false);
    let looking = tokio::spawn(Outpost::new(wiring).run(stop.subscribe()));
    service_manager::ready("looking for a watch");
    run::told_to_stop().await;
    service_manager::stopping();
    stop.send_replace(true);
    looking.await.map_err(anyhow::Error::from)?;
    Ok(())
}
