//! A person's rules as set on the page or by the API: in the terms of `[people."ada@example.com"]`, and read by the
//! same reader.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::de::DeTable;
use utoipa::ToSchema;

use super::environment::GivenEnvironment;
use super::explain_noise::{self, time};
use super::read_alerts::Channels;
use super::read_calendar::DAYS;
use super::reader::{Inspection, Purpose, Section};
use super::{ChannelKind, read_people};
use crate::alert::noise::{Personal, PersonalRule};

/// The most rules of one person: more would not be a wish any more, but a program.
pub const MOST_RULES: usize = 20;

/// What one person has asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PersonalRules)]
#[serde(deny_unknown_fields)]
pub struct RawPersonalRules {
    /// The zone of the times in messages and of the hours below, from the IANA time zone database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// email | ntfy | sms | voice: the channels to use instead of those of a step; empty: those of the step.
    #[serde(default)]
    pub channels: Vec<String>,
    /// `08:30`: warnings and predictions once a day, in one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_at: Option<String>,
    /// The first that matches applies, before `channels`; 20 at most.
    #[serde(default)]
    pub rules: Vec<RawPersonalRule>,
}

/// What applies to some stages, or at some hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PersonalRule)]
#[serde(deny_unknown_fields)]
pub struct RawPersonalRule {
    /// predicted | warning | breached; empty: all of them.
    #[serde(default)]
    pub stages: Vec<String>,
    /// `22:00`; none, with `until`: at all hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// `07:00`, of the next day if it is not after `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// mon | tue | …: the days on which these hours begin; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<Vec<String>>,
    /// Empty: nothing is sent then; messages wait for the end of these hours.
    pub channels: Vec<String>,
}

#[derive(Serialize)]
struct Document<'w> {
    people: BTreeMap<&'w str, &'w RawPersonalRules>,
}

impl RawPersonalRules {
    /// Reads what the person at `address` asks for, with these `channels` set up; or returns all that is wrong with it.
    pub fn read(&self, address: &str, channels: &[ChannelKind]) -> Result<Personal, String> {
        if self.rules.len() > MOST_RULES {
            return Err(format!("`rules` may be {MOST_RULES} at most"));
        }
        self.read_for(Purpose::Service, address, channels)
    }

    /// Reads again what was accepted before: a channel that is gone by now is not the person's fault.
    pub fn read_again(&self, address: &str) -> Result<Personal, String> {
        self.read_for(Purpose::Offline, address, &[])
    }

    fn read_for(&self, purpose: Purpose, address: &str, channels: &[ChannelKind]) -> Result<Personal, String> {
        let document = Document { people: BTreeMap::from([(address, self)]) };
        let text = toml::to_string(&document).map_err(|error| error.to_string())?;
        let table = DeTable::parse(&text).map_err(|error| error.message().to_owned())?;
        let environment = GivenEnvironment::default();
        let inspection = Inspection::new(&environment, purpose);
        let sections = Section::root(&inspection, table.get_ref()).named("people");
        let personal = read_people::people(sections, &Channels::only(channels)).into_values().next();
        let mut faults = inspection.into_faults();
        faults.sort();
        let faults: Vec<_> = faults.into_iter().map(|(_, fault)| fault).collect();
        personal.filter(|_| faults.is_empty()).map(|personal| (*personal).clone()).ok_or_else(|| faults.join("; "))
    }

    /// Writes `personal` in this form.
    pub fn of(personal: &Personal) -> Self {
        Self {
            timezone: personal.zone.map(|zone| zone.name().to_owned()),
            channels: names(&personal.channels),
            digest_at: personal.digest.map(|daily| time(daily.at)),
            rules: personal.rules.iter().map(RawPersonalRule::of).collect(),
        }
    }
}

impl RawPersonalRule {
    fn of(rule: &PersonalRule) -> Self {
        let hours = rule.hours.as_ref();
        let days = hours.map(|hours| hours.days).filter(|days| days.contains(&false));
        let named = |days: [bool; 7]| DAYS.into_iter().zip(days).filter_map(|(day, begins)| begins.then_some(day));
        Self {
            stages: rule.stages.iter().map(|stage| stage.as_str().to_owned()).collect(),
            from: hours.map(|hours| time(hours.from)),
            until: hours.map(|hours| time(hours.until)),
            days: days.map(|days| named(days).map(str::to_owned).collect()),
            channels: names(&rule.channels),
        }
    }
}

/// Names each channel once.
fn names(channels: &[ChannelKind]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for channel in channels {
        if !names.iter().any(|known| known == channel.as_str()) {
            names.push(channel.as_str().to_owned());
        }
    }
    names
}

/// Says what one person has asked for.
pub fn words(personal: &Personal) -> String {
    explain_noise::personal(personal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ADA: &str = "ada@example.com";

    fn wishes(said: serde_json::Value) -> RawPersonalRules {
        serde_json::from_value(said).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_read_as_the_file_would_be_and_told_in_the_same_words_again() {
        let said = json!({
            "timezone": "Europe/Stockholm", "channels": ["email"], "digest_at": "08:30",
            "rules": [
                {"stages": ["breached"], "from": "22:00", "until": "07:00", "days": ["mon", "fri"], "channels": ["sms"]},
                {"stages": [], "from": "18:00", "until": "24:00", "channels": []},
            ],
        });
        let asked = wishes(said.clone());
        let personal = asked.read(ADA, &[ChannelKind::Email, ChannelKind::Sms]).unwrap();
        assert_eq!(serde_json::to_value(RawPersonalRules::of(&personal)).unwrap(), said);
        assert_eq!(asked.read_again(ADA).unwrap(), personal);
        assert_eq!(
            words(&personal),
            "told by SMS of breached, 22:00 to 07:00 (Europe/Stockholm), from mon, fri; not told, 18:00 to 24:00 \
             (Europe/Stockholm); told by email; warnings and predictions once a day, at 08:30; times in Europe/Stockholm"
        );
    }

    fn all_day(from: &str, until: &str) -> serde_json::Value {
        json!({"stages": ["breached"], "from": from, "until": until, "channels": []})
    }

    #[test]
    fn hours_that_leave_some_for_breaches_are_taken() {
        let with_a_minute = json!([all_day("00:00", "23:59")]);
        let weekdays = json!({"from": "00:00", "until": "24:00", "days": ["mon", "tue", "wed", "thu", "fri", "sat"], "channels": []});
        let other_stages = json!({"stages": ["warning", "predicted"], "channels": []});
        let goes_first = json!({"stages": ["breached"], "from": "03:00", "until": "04:00", "channels": ["email"]});
        for rules in [with_a_minute, json!([weekdays, other_stages]), json!([goes_first, all_day("00:00", "24:00")])] {
            let said = json!({"timezone": "Europe/London", "rules": rules});
            assert!(wishes(said.clone()).read(ADA, &[ChannelKind::Email]).is_ok(), "{said}");
        }
    }

    #[test]
    fn what_the_file_may_not_say_is_refused_with_all_its_faults() {
        let cases = [
            (json!({"digest_at": "08:30"}), "`timezone` is needed beside hours"),
            (json!({"timezone": "Mars/Base"}), "`timezone`"),
            (json!({"rules": [{"channels": []}]}), "must not be empty for breaches at every hour"),
            (json!({"timezone": "UTC", "rules": [all_day("00:00", "24:00")]}), "must leave hours at which breaches"),
            (
                json!({"timezone": "UTC", "rules": [all_day("00:00", "12:00"), all_day("12:00", "24:00")]}),
                "must leave hours at which breaches",
            ),
            (
                json!({"timezone": "UTC", "rules": [{"stages": ["predicted"], "channels": []}, all_day("06:00", "06:01"), all_day("06:01", "06:00")]}),
                "must leave hours at which breaches",
            ),
            (json!({"channels": ["voice"]}), "needs voice, but there is no [notify.voice]"),
            (json!({"channels": ["slack"]}), "reaches no single person"),
            (json!({"channels": ["email\"]\n[server]\nlisten = \"0.0.0.0:1"]}), "`channels` must hold"),
            (json!({"rules": vec![json!({"channels": ["email"]}); 21]}), "`rules` may be 20 at most"),
        ];
        for (said, fault) in cases {
            let complaint = wishes(said.clone()).read(ADA, &[ChannelKind::Email]).unwrap_err();
            assert!(complaint.contains(fault), "{said}: {complaint}");
        }
        let two = wishes(json!({"digest_at": "noon", "channels": ["pigeon"]})).read(ADA, &[]).unwrap_err();
        assert!(two.contains("`channels` must") && two.contains("`digest_at`"), "{two}");
    }
}
