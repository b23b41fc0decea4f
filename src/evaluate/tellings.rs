//! Who was told of which alert, and by which channel.

use std::collections::HashMap;

use crate::alert::escalation::ChannelKind;
use crate::store::alerts::Told;
use crate::store::outbox::Unsaid;

/// What was told about each alert of a tenant, by the alert's key.
#[derive(Default)]
pub(super) struct Tellings(HashMap<String, Vec<Telling>>);

/// A record that somebody was told of a stage, or is about to be.
struct Telling {
    stage: Box<str>,
    recipient: Box<str>,
    channel: Box<str>,
    /// Whether it was withdrawn before it was sent.
    is_void: bool,
}

impl Telling {
    fn is(&self, stage: &str, recipient: &str, channel: &str) -> bool {
        *self.stage == *stage && *self.recipient == *recipient && *self.channel == *channel
    }
}

impl Tellings {
    /// Whether this person was already told of this stage by this channel.
    pub fn holds(&self, alert: &str, stage: &str, recipient: &str, channel: ChannelKind) -> bool {
        self.of(alert).iter().any(|one| !one.is_void && one.is(stage, recipient, channel.as_str()))
    }

    /// Whether anything about this alert was meant for this person before, even if it was not sent.
    pub fn has_thread(&self, alert: &str, recipient: &str) -> bool {
        self.of(alert).iter().any(|one| *one.recipient == *recipient)
    }

    pub fn add(&mut self, told: Told) {
        let Told { alert, stage, recipient, channel } = told;
        let known = self.0.entry(alert).or_default();
        match known.iter_mut().find(|one| one.is(&stage, &recipient, &channel)) {
            Some(one) => one.is_void = false,
            None => {
                // Most alerts are told once or twice.
                known.reserve_exact(1);
                known.push(Telling {
                    stage: stage.into(),
                    recipient: recipient.into(),
                    channel: channel.into(),
                    is_void: false,
                });
            }
        }
    }

    /// Marks one as withdrawn before it was sent.
    pub fn withdraw(&mut self, alert: &str, unsaid: &Unsaid) {
        let channel = unsaid.channel.as_str();
        let mut known = self.0.get_mut(alert).into_iter().flatten();
        if let Some(one) = known.find(|one| one.is(&unsaid.stage, &unsaid.recipient, channel)) {
            one.is_void = true;
        }
    }

    /// Marks everything about this alert as withdrawn; what was not withdrawn is then read again.
    pub fn withdraw_all(&mut self, alert: &str) {
        self.0.get_mut(alert).into_iter().flatten().for_each(|one| one.is_void = true);
    }

    pub fn forget(&mut self, alert: &str) {
        self.0.remove(alert);
    }

    fn of(&self, alert: &str) -> &[Telling] {
        self.0.get(alert).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_withdrawn_is_to_be_told_again_in_the_same_thread() {
        let told = |stage: &str| Told {
            alert: "acme:7:resolution:0".to_owned(),
            stage: stage.to_owned(),
            recipient: "mia".to_owned(),
            channel: "email".to_owned(),
        };
        let mut tellings = Tellings::default();
        let holds =
            |tellings: &Tellings, stage| tellings.holds("acme:7:resolution:0", stage, "mia", ChannelKind::Email);
        tellings.add(told("warning"));
        tellings.add(told("breached"));
        assert!(holds(&tellings, "warning") && !holds(&tellings, "breached/1"));
        tellings.withdraw_all("acme:7:resolution:0");
        tellings.add(told("warning"));
        assert!(holds(&tellings, "warning") && !holds(&tellings, "breached"));
        assert!(
            tellings.has_thread("acme:7:resolution:0", "mia") && !tellings.has_thread("acme:7:resolution:0", "leo")
        );
        tellings.withdraw_all("acme:7:resolution:0");
        assert!(tellings.has_thread("acme:7:resolution:0", "mia"), "a first mail may be on its way");
        tellings.forget("acme:7:resolution:0");
        assert!(!tellings.has_thread("acme:7:resolution:0", "mia"));
    }
}
