//! The made-up desk's people on duty: now and then one of them answers an alert, by the link in a mail, the button of a
//! push, a reply to a text message or a key during a call.
//!
//! They answer as people do, over HTTP. They leave most alerts alone, so that escalations are seen as well.

use std::sync::Arc;

use reqwest::Client;

use super::receivers::{Callee, Caught, CaughtKind, CaughtList, Reports, SmsCatcher};

/// One in this many mails with a link is answered.
const MAILS: u64 = 5;
/// One in this many pushes with a button is answered.
const PUSHES: u64 = 4;
/// One in this many text messages with a code is answered.
const TEXTS: u64 = 3;
/// What people do when they are called, in turn.
const CALLEES: [Callee; 4] = [Callee::PicksUp(Some('1')), Callee::NoAnswer, Callee::PicksUp(None), Callee::Machine];
/// How many messages people look at: they answer the newest, and older ones have been overtaken.
const LOOKED_AT: usize = 50;

/// People with phones.
pub struct Responders<'a> {
    caught: &'a CaughtList,
    sms: &'a SmsCatcher,
    http: Client,
    seen: u64,
    mails: u64,
    pushes: u64,
    texts: u64,
    calls: usize,
}

impl<'a> Responders<'a> {
    /// Creates people who read what lands in `caught`, and reply through `sms`.
    pub fn new(caught: &'a CaughtList, sms: &'a SmsCatcher) -> Self {
        Self { caught, sms, http: Client::new(), seen: 0, mails: 0, pushes: 0, texts: 0, calls: 0 }
    }

    /// Lets the carrier deliver what waits, and people read what is new. Returns what they did, one sentence each.
    pub async fn turn(&mut self) -> Vec<String> {
        self.sms.deliver().await;
        let mut done = Vec::new();
        let unread = self.unread();
        if unread.iter().any(|message| message.kind == CaughtKind::Voice) {
            done.extend(self.take_calls().await);
        }
        for message in unread.iter().rev() {
            done.extend(match message.kind {
                CaughtKind::Email => self.read_mail(message).await,
                CaughtKind::Ntfy => self.read_push(message).await,
                CaughtKind::Sms => self.read_text(message).await,
                CaughtKind::Voice
                | CaughtKind::Slack
                | CaughtKind::Teams
                | CaughtKind::PagerDuty
                | CaughtKind::Webhook => None,
            });
        }
        done
    }

    fn unread(&mut self) -> Vec<Arc<Caught>> {
        let new = usize::try_from(self.caught.total() - self.seen).unwrap_or(usize::MAX);
        self.seen = self.caught.total();
        self.caught.newest_first(new.min(LOOKED_AT))
    }

    async fn read_mail(&mut self, mail: &Caught) -> Option<String> {
        let link = mail.text.lines().find(|line| line.starts_with("http") && line.contains("/a/"))?;
        self.mails += 1;
        if self.mails % MAILS != 2 {
            return None;
        }
        let opened = self.http.get(link).send().await.ok()?;
        let answer = self.http.post(link).send().await.ok()?;
        let fine = opened.status().is_success() && answer.status().is_success();
        fine.then(|| format!("{} opens the link in a mail and presses Acknowledge", mail.to))
    }

    async fn read_push(&mut self, push: &Caught) -> Option<String> {
        let button = push.header("button")?;
        self.pushes += 1;
        if self.pushes % PUSHES != 1 {
            return None;
        }
        let answer = self.http.post(button).send().await.ok()?;
        answer.status().is_success().then(|| format!("{} presses Acknowledge in a push", push.to))
    }

    async fn take_calls(&mut self) -> Option<String> {
        let callee = CALLEES[self.calls % CALLEES.len()];
        self.calls += 1;
        self.sms.ring(callee, Reports::InOrder).await;
        match callee {
            Callee::PicksUp(Some(key)) => Some(format!("somebody who is called presses {key}")),
            Callee::PicksUp(None) => Some("somebody who is called listens, and puts the phone down".to_owned()),
            _ => None,
        }
    }

    async fn read_text(&mut self, text: &Caught) -> Option<String> {
        let code = code(&text.text)?;
        self.texts += 1;
        if self.texts % TEXTS != 1 {
            return None;
        }
        let sid = format!("SM{:032x}", u128::from(self.seen) << 32 | u128::from(self.texts));
        let (_, answer) = self.sms.text_in(&sid, &text.to, code).await?;
        let (_, answer) = answer.split_once("<Message>")?;
        let answer = answer.split_once("</Message>").map_or(answer, |(said, _)| said);
        Some(format!("{} replies {code} and reads: {answer}", text.to))
    }
}

/// Returns `12a` from `… Reply 12a to ack, …`.
fn code(text: &str) -> Option<&str> {
    text.split_once("Reply ")?.1.split_whitespace().next().filter(|code| code.ends_with('a'))
}
