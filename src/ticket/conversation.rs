//! Finds out from the conversation of a ticket who answered whom, and when.
//!
//! SuperOps says when the first response came but not from whom, and nothing about
//! later ones. In the conversation, a mail that a technician wrote is a reply, an
//! automatic one a notice to the requester.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::RefId;

/// The furthest apart that a reply and the response it counts as are recorded.
const SAME_MOMENT: TimeDelta = TimeDelta::minutes(1);

/// The most exchanges kept with a ticket.
const MOST_EXCHANGES: usize = 100;

/// Who is speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    Client,
    Technician,
    /// An automatic mail to the client.
    Automation,
}

/// Who gave a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answerer {
    Technician,
    Automation,
}

impl Answerer {
    /// Returns the name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Technician => "technician",
            Self::Automation => "automation",
        }
    }
}

/// What the conversation of a ticket showed when it was last read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationSummary {
    /// The ticket's time of update when it was read.
    pub read_of: Option<DateTime<Utc>>,
    /// The client's message, after our first answer, that began the last exchange.
    pub asked_at: Option<DateTime<Utc>>,
    /// The technician's reply to it; none while the client waits.
    pub answered_at: Option<DateTime<Utc>>,
    /// Who gave the first response that SuperOps counts; none if that is not known.
    pub first_answer: Option<Answerer>,
    /// The technician who gave the first response; none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_answer_by: Option<RefId>,
    /// All exchanges after it, oldest first, the last included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
}

/// A message of the client that waited for an answer, and the technician's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    pub asked_at: DateTime<Utc>,
    /// None while the client waits.
    pub answered_at: Option<DateTime<Utc>>,
    /// Who answered; none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<RefId>,
}

impl ConversationSummary {
    /// Summarises `said`, in any order, for a ticket whose first response SuperOps puts at `responded_at`.
    pub fn of(mut said: Vec<(DateTime<Utc>, Voice)>, responded_at: Option<DateTime<Utc>>) -> Self {
        said.sort_by_key(|(at, _)| *at);
        let (asked_at, answered_at) = last_exchange(&said, responded_at);
        let first_answer = responded_at.and_then(|at| answerer(&said, at));
        Self { asked_at, answered_at, first_answer, ..Self::default() }
    }

    /// Does the same for messages with their authors, where known.
    pub fn by_authors(mut said: Vec<Said>, responded_at: Option<DateTime<Utc>>) -> Self {
        said.sort_by_key(|one| one.at);
        let replies = said.iter().filter(|one| one.voice == Voice::Technician);
        let first = match responded_at {
            Some(at) => {
                replies.clone().filter(|one| (one.at - at).abs() <= SAME_MOMENT).min_by_key(|one| (one.at - at).abs())
            }
            None => replies.clone().next(),
        };
        let first_answer_by = first.and_then(|one| one.by.clone());
        let responded = responded_at.into_iter().chain(replies.map(|one| one.at).next()).min();
        let exchanges = responded.map_or_else(Vec::new, |responded| exchanges(&said, responded));
        let plain = said.iter().map(|one| (one.at, one.voice)).collect();
        Self { first_answer_by, exchanges, ..Self::of(plain, responded_at) }
    }
}

/// A message in the conversation, and its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub at: DateTime<Utc>,
    pub voice: Voice,
    pub by: Option<RefId>,
}

/// Returns each message of the client that had to wait after `responded`, with its answer: [`last_exchange`] and all
/// before it. Of an endless conversation the latest are kept.
fn exchanges(said: &[Said], responded: DateTime<Utc>) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    for one in said.iter().filter(|one| one.at > responded) {
        let waits = all.last_mut().filter(|last| last.answered_at.is_none());
        match (one.voice, waits) {
            (Voice::Client, None) => all.push(Exchange { asked_at: one.at, answered_at: None, by: None }),
            (Voice::Technician, Some(last)) => (last.answered_at, last.by) = (Some(one.at), one.by.clone()),
            _ => {}
        }
    }
    all.drain(..all.len().saturating_sub(MOST_EXCHANGES));
    all
}

/// Returns the client's message that waited last, and the answer to it if there is one. Before our first
/// response nothing waits: that is the first response's own clock.
fn last_exchange(
    said: &[(DateTime<Utc>, Voice)],
    responded_at: Option<DateTime<Utc>>,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let first_reply = said.iter().find(|(_, voice)| *voice == Voice::Technician).map(|(at, _)| *at);
    let Some(responded) = responded_at.into_iter().chain(first_reply).min() else { return (None, None) };
    let mut exchange = (None, None);
    for (at, voice) in said.iter().filter(|(at, _)| *at > responded) {
        match (voice, exchange) {
            (Voice::Client, (None, _) | (Some(_), Some(_))) => exchange = (Some(*at), None),
            (Voice::Technician, (Some(asked), None)) => exchange = (Some(asked), Some(*at)),
            _ => {}
        }
    }
    exchange
}

/// Returns whose message is nearest to the response; of two equally near ones, the technician's.
fn answerer(said: &[(DateTime<Utc>, Voice)], responded_at: DateTime<Utc>) -> Option<Answerer> {
    let distance = |at: &DateTime<Utc>| (*at - responded_at).abs();
    let ours = said.iter().filter_map(|(at, voice)| match voice {
        Voice::Client => None,
        Voice::Technician => Some((distance(at), 0, Answerer::Technician)),
        Voice::Automation => Some((distance(at), 1, Answerer::Automation)),
    });
    let near = ours.filter(|(distance, ..)| *distance <= SAME_MOMENT);
    near.min_by_key(|(distance, order, _)| (*distance, *order)).map(|(.., answerer)| answerer)
}

#[cfg(test)]
mod tests {
    use super::Voice::{Automation, Client, Technician};
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn heard(said: &[(i64, Voice)], responded: Option<i64>) -> ConversationSummary {
        ConversationSummary::of(said.iter().map(|(minute, voice)| (at(*minute), *voice)).collect(), responded.map(at))
    }

    #[test]
    fn the_client_waits_from_the_first_message_after_our_last_reply() {
        type Case<'a> = (&'a str, &'a [(i64, Voice)], Option<i64>, Option<i64>, Option<i64>);
        let cases: [Case<'_>; 8] = [
            ("nothing said", &[], None, None, None),
            ("before our first answer that clock runs", &[(5, Client)], None, None, None),
            ("after our reply", &[(5, Technician), (9, Client)], None, Some(9), None),
            ("the first of several", &[(5, Technician), (9, Client), (12, Client)], None, Some(9), None),
            ("answered", &[(5, Technician), (9, Client), (20, Technician)], None, Some(9), Some(20)),
            ("asked again", &[(5, Technician), (9, Client), (20, Technician), (30, Client)], None, Some(30), None),
            ("a notice answers nothing", &[(5, Technician), (9, Client), (10, Automation)], None, Some(9), None),
            ("answered by telephone first", &[(9, Client)], Some(5), Some(9), None),
        ];
        for (name, said, responded, asked, answered) in cases {
            let conversation = heard(said, responded);
            assert_eq!((conversation.asked_at, conversation.answered_at), (asked.map(at), answered.map(at)), "{name}");
        }
    }

    #[test]
    fn every_exchange_is_kept_with_who_answered() {
        let person = |id: &str| Some(RefId::parse(id).unwrap());
        let said = |minute, voice, by| Said { at: at(minute), voice, by };
        let all = vec![
            said(5, Technician, person("1")),
            said(9, Client, None),
            said(12, Client, None),
            said(20, Technician, person("2")),
            said(30, Client, None),
        ];
        let heard = ConversationSummary::by_authors(all, Some(at(5)));
        assert_eq!(heard.first_answer_by, person("1"));
        let told: Vec<_> = heard.exchanges.iter().map(|one| (one.asked_at, one.answered_at, one.by.clone())).collect();
        assert_eq!(told, [(at(9), Some(at(20)), person("2")), (at(30), None, None)]);
        assert_eq!((heard.asked_at, heard.answered_at), (Some(at(30)), None), "the last one as before");
    }

    #[test]
    fn entries_in_disorder_read_the_same() {
        let said = [(20, Technician), (9, Client), (5, Technician)];
        let mut turned = said;
        turned.reverse();
        assert_eq!(heard(&said, Some(5)), heard(&turned, Some(5)));
    }

    #[test]
    fn the_first_response_is_whose_words_stand_at_its_time() {
        let cases = [
            (vec![(5, Technician)], Some(Answerer::Technician)),
            (vec![(5, Automation), (30, Technician)], Some(Answerer::Automation)),
            (vec![(5, Automation), (5, Technician)], Some(Answerer::Technician)),
            (vec![(30, Technician)], None),
            (vec![(5, Client)], None),
        ];
        for (said, expected) in cases {
            assert_eq!(heard(&said, Some(5)).first_answer, expected, "{said:?}");
        }
        assert_eq!(heard(&[(5, Technician)], None).first_answer, None, "SuperOps counts no response");
    }
}
