//! The digest of breaches known when a tenant was first read: one message to each person instead of an alert per clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Evaluate, TurnContext, facts, key_of};
use crate::alert::Stage;
use crate::alert::escalation::{ChannelKind, Recipient, Step, recipients};
use crate::alert::noise::ChannelChoice;
use crate::notify::{Body, DigestFacts, Message};
use crate::sla::clock::ClockState;
use crate::sla::zone::Tz;
use crate::store::outbox::{NewNotification, notification_key};
use crate::ticket::watch::Watched;

/// How long a digest waits to be sent as one with those of other tenants, which are written one after another.
const FOR_OTHER_DIGESTS: TimeDelta = TimeDelta::seconds(10);

impl Evaluate {
    /// Makes one message to each person about all breaches known when first seen.
    pub(super) fn digests(
        &self,
        context: &TurnContext<'_>,
        known: &[(Arc<Watched>, ClockState<'_>)],
    ) -> Vec<NewNotification> {
        let mut people: BTreeMap<_, (Recipient, Vec<facts::Dated>)> = BTreeMap::new();
        for (watched, clock) in known {
            let key = key_of(context, watched, clock.kind);
            let Some(row) = facts::digest_row(self.links(context.tenant), watched, clock, key, context.now) else {
                continue;
            };
            for recipient in self.first_reached(context, watched) {
                let place = (recipient.id.clone(), self.channel_of_digest(&recipient, context.now));
                people.entry(place).or_insert_with(|| (recipient, Vec::new())).1.push(row.clone());
            }
        }
        people.into_values().filter_map(|(recipient, rows)| self.digest(context, &recipient, rows)).collect()
    }

    /// Returns the people of the first step that reaches anybody.
    pub(super) fn first_reached(&self, context: &TurnContext<'_>, watched: &Watched) -> Vec<Recipient> {
        let of_step = |step: &Step| {
            let people = recipients(&step.notify, context.subject(watched), context.people, &context.duty).into_iter();
            let people = people.map(|person| self.reachable(person));
            let mut seen = BTreeSet::new();
            let is_new = |person: &Recipient| {
                let channel = self.channel_of_digest(person, context.now);
                channel.is_some_and(|channel| seen.insert((person.id.clone(), channel)))
            };
            people.filter(is_new).collect::<Vec<_>>()
        };
        let escalation = self.config.escalation_for(context.subject(watched), Stage::Breached);
        escalation.steps.iter().map(of_step).find(|people| !people.is_empty()).unwrap_or_default()
    }

    /// Returns the channel by which `recipient` gets a digest; none if they cannot be reached.
    fn channel_of_digest(&self, recipient: &Recipient, now: DateTime<Utc>) -> Option<ChannelKind> {
        self.ways_of_digest(recipient, now).first().map(|(channel, _)| *channel)
    }

    /// Returns the channels to tell `recipient` by, each with those to fall back on: what they have chosen for breaches,
    /// else email. Nobody is called.
    fn ways_of_digest(
        &self,
        recipient: &Recipient,
        now: DateTime<Utc>,
    ) -> Vec<(ChannelKind, Vec<(ChannelKind, String)>)> {
        let rules = self.personal_rules.in_force();
        let wanted = match rules.wish(recipient, Stage::Breached, now) {
            ChannelChoice::By(channels) => channels,
            ChannelChoice::None | ChannelChoice::Never => &[ChannelKind::Email],
        };
        self.routes(recipient, wanted, rings_nobody)
    }

    fn digest(
        &self,
        context: &TurnContext<'_>,
        recipient: &Recipient,
        mut rows: Vec<facts::Dated>,
    ) -> Option<NewNotification> {
        let (channel, fallback) = self.ways_of_digest(recipient, context.now).into_iter().next()?;
        rows.sort_by_key(|row| row.due);
        let alerts = rows.iter().map(|row| row.alert.to_string()).collect();
        let of_rows = shared(rows.iter().map(|row| row.timezone));
        let timezone = self.zone_of(recipient).or(of_rows).or(self.zone_of_tenant(context.tenant));
        let thread = format!("{}:digest:{}", context.tenant.id, context.now.timestamp_millis());
        let message = Message {
            key: notification_key(&[&thread, &recipient.id, channel.as_str()]),
            thread: thread.clone(),
            continues_thread: false,
            to: recipient.address(channel)?.to_owned(),
            to_name: recipient.name.clone(),
            timezone: timezone.unwrap_or_default(),
            body: Body::Digest(DigestFacts::of(rows.into_iter().map(|row| row.row).collect(), alerts)),
        };
        Some(NewNotification {
            tenant: context.tenant.id.clone(),
            alert_key: thread,
            ticket_id: None,
            kind: "digest",
            stage: "digest".to_owned(),
            step: 0,
            channel,
            recipient: recipient.id.clone(),
            fallback,
            message,
            due_at: if self.config.tenants.len() > 1 { context.now + FOR_OTHER_DIGESTS } else { context.now },
            created_at: context.now,
            reader: self.reader(context, recipient, None),
        })
    }
}

/// Returns the time zone that all rows have in common.
fn shared(mut zones: impl Iterator<Item = Tz>) -> Option<Tz> {
    let first = zones.next()?;
    zones.all(|zone| zone == first).then_some(first)
}

/// Rules out calls, for messages that are not alerts.
fn rings_nobody(channel: ChannelKind) -> bool {
    channel != ChannelKind::Voice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_in_the_time_zone_of_its_rows_only_if_they_share_one() {
        let [london, moscow] = ["Europe/London", "Europe/Moscow"].map(Tz::named);
        assert_eq!(shared([london, london].into_iter()), Some(london));
        assert_eq!(shared([moscow, london, london].into_iter()), None, "the oldest does not speak for the desk");
        assert_eq!(shared(std::iter::empty()), None);
    }
}
