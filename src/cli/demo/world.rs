//! What surrounds the service in the demo: SuperOps, the mail server, the SMS gateway, the other channels and a folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tempfile::TempDir;

use super::{SMS_TOKEN, services};
use crate::clock::SharedClock;
use crate::config::{Config, GivenEnvironment};
use crate::simulator::receivers::{
    CaughtList, MailCatcher, NtfyCatcher, SlackCatcher, SmsCatcher, TeamsCatcher, WEBHOOK_SECRET, WebhookCatcher,
};
use crate::simulator::{Served, SimOptions, Simulator};

/// What surrounds the service: SuperOps, the mail server, the SMS gateway and a folder.
pub(super) struct World {
    pub(super) look_alike: Arc<Simulator>,
    superops: Served,
    mail: MailCatcher,
    ntfy: NtfyCatcher,
    pub(super) sms: SmsCatcher,
    slack: SlackCatcher,
    teams: TeamsCatcher,
    webhook: WebhookCatcher,
    pub(super) caught: Arc<CaughtList>,
    pub(super) folder: TempDir,
    options: SimOptions,
    /// The PostgreSQL database that holds the store; without one, a file in `folder` does.
    server: Option<String>,
    /// The authority that signs the services' certificates, in PEM.
    authority: String,
}

impl World {
    /// Starts the receivers around `look_alike`, which keep the last `room` messages.
    pub(super) async fn round(
        look_alike: Arc<Simulator>,
        options: SimOptions,
        clock: SharedClock,
        room: usize,
    ) -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let caught = CaughtList::new(room);
        Ok(Self {
            superops: look_alike.serve(any).await?,
            mail: MailCatcher::start(any, clock.clone(), caught.clone()).await?,
            ntfy: NtfyCatcher::start(any, clock.clone(), caught.clone()).await?,
            sms: SmsCatcher::start(any, clock.clone(), caught.clone()).await?,
            slack: SlackCatcher::start(any, clock.clone(), caught.clone()).await?,
            teams: TeamsCatcher::start(any, clock.clone(), caught.clone()).await?,
            webhook: WebhookCatcher::start(any, clock, caught.clone()).await?,
            folder: tempfile::tempdir().context("there is no room for the demo's files")?,
            look_alike,
            caught,
            options,
            server: None,
            authority: String::new(),
        })
    }

    /// Keeps the store in a PostgreSQL database, if one is given.
    pub(super) fn on_server(self, server: Option<String>) -> Self {
        Self { server, ..self }
    }

    /// Trusts services whose certificates are signed by `authority`, in PEM.
    pub(super) fn trusting(self, authority: String) -> Self {
        Self { authority, ..self }
    }

    /// Returns where the store is, as settings for the configuration.
    fn store(&self) -> String {
        match &self.server {
            Some(url) => format!("url = {url:?}\nschema = \"superops_sla_demo_{:08x}\"\n", fastrand::u32(..)),
            None => format!("url = \"sqlite://{}\"\n", self.folder.path().join("demo.db").display()),
        }
    }

    /// Returns a configuration as a user would write it, pointing at this world, with `settings` in it.
    pub(super) fn config(&self, listen: SocketAddr, settings: &str) -> anyhow::Result<Config> {
        // A file, since it is read again whenever the client needs it.
        let token = self.folder.path().join("token");
        std::fs::write(&token, &self.options.token)?;
        let text = format!(
            "[server]\nlisten = \"{listen}\"\npublic_url = \"http://{listen}\"\n\
             [store]\n{}\
             [notify.email]\nsmtp_url = \"smtp://{}\"\nfrom = \"SLA watch <sla@msp.example>\"\n\
             [notify.sms]\naccount_sid = \"AC00000000000000000000000000000000\"\nauth_token_env = \"DEMO_SMS\"\n\
             from = \"+15005550006\"\nbase_url = \"{}\"\nreplies = true\n{}\
             [tenants.demo]\nsubdomain = \"{}\"\nendpoint = \"{}/msp\"\ntoken_file = \"{}\"\n\
             requests_per_minute = 800\npoll_interval = \"60s\"\n{settings}",
            self.store(),
            self.mail.addr(),
            self.sms.url(),
            self.systems(),
            self.options.subdomain,
            self.superops.url(),
            token.display(),
        );
        let token = token.to_str().context("the temporary folder has an odd name")?;
        let environment =
            GivenEnvironment::default().with_file(token, &self.options.token).with_var("DEMO_SMS", SMS_TOKEN);
        let environment = environment.with_file(services::AUTHORITY, &self.authority);
        let environment = environment.with_var("DEMO_NTFY", "tk_demo").with_var("DEMO_TEAMS", &self.teams.url());
        let environment = services::TOKENS.iter().fold(environment, |known, (name, token)| known.with_var(name, token));
        let environment = environment.with_var("DEMO_SLACK", "xoxb-demo").with_var("DEMO_WEBHOOK", WEBHOOK_SECRET);
        Ok(Config::parse(Path::new("demo.toml"), &text, &environment)?)
    }

    /// The channels beyond email and text messages.
    fn systems(&self) -> String {
        format!(
            "[notify.ntfy]\ntoken_env = \"DEMO_NTFY\"\nbase_url = \"{}\"\n\
             [notify.slack]\nbot_token_env = \"DEMO_SLACK\"\nchannel = \"#sla\"\nbase_url = \"{}\"\n\
             [notify.teams]\nwebhook_url_env = \"DEMO_TEAMS\"\n\
             [notify.webhook]\nurl = \"{}\"\nsecret_env = \"DEMO_WEBHOOK\"\n",
            self.ntfy.url(),
            self.slack.url(),
            self.webhook.url(),
        )
    }
}
