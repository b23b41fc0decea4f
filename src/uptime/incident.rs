//! What happened to services, what people said about it, and the work that was announced.
//!
//! Downtime is never computed from this, only from what was seen.

use serde::{Deserialize, Serialize};

use super::availability::Window;
use super::{MINUTE, Millis};

/// How bad it is for the users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    None,
    #[default]
    Minor,
    Major,
    Critical,
}

/// How far the repair has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    #[default]
    Investigating,
    Identified,
    Monitoring,
    Resolved,
}

macro_rules! words {
    ($kind:ident: $($name:ident $word:literal),*) => {
        impl $kind {
            pub const ALL: [Self; 4] = [$(Self::$name),*];

            /// The word for it in the store, the API and the documents.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// Reads what `as_str` gave.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == text)
            }
        }
    };
}

words!(Impact: None "none", Minor "minor", Major "major", Critical "critical");
words!(Progress: Investigating "investigating", Identified "identified", Monitoring "monitoring", Resolved "resolved");

impl Progress {
    /// Returns what the public is told of an incident at this stage, unless people say more.
    fn usual_words(self) -> &'static str {
        match self {
            Self::Investigating => "We are looking into it again.",
            Self::Identified => "We have found the cause and are working on a fix.",
            Self::Monitoring => "A fix is in place, and we are monitoring it.",
            Self::Resolved => "It is over.",
        }
    }
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub id: String,
    pub tenant: String,
    pub title: String,
    pub impact: Impact,
    pub progress: Progress,
    /// The ids of the components affected.
    pub components: Vec<String>,
    /// Whether the public page shows it.
    pub public: bool,
    /// Whether it was opened automatically, because something was seen to be down.
    pub automatic: bool,
    /// Why it happened, once that is known.
    pub cause: Option<String>,
    pub started_at: Millis,
    pub resolved_at: Option<Millis>,
    /// Oldest first.
    pub updates: Vec<Update>,
}

/// What was said of an incident at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub number: i64,
    pub at: Millis,
    pub progress: Progress,
    /// For everybody; blank if nothing was said in public.
    pub text: String,
    /// For those who may sign in.
    pub note: Option<String>,
    pub author: String,
}

/// What somebody says of an incident; fields that are none stay as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saying {
    pub progress: Option<Progress>,
    pub text: Option<String>,
    pub note: Option<String>,
    pub title: Option<String>,
    pub impact: Option<Impact>,
    pub cause: Option<String>,
    pub public: Option<bool>,
}

/// What the watch has seen of an outage, for the incident that it opens or ends automatically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The outage `key` began; `incident` announces it, with `text` for everybody.
    Began { key: String, incident: Incident, text: String },
    /// The component works again, or is no longer watched, as `text` tells everybody.
    Over { tenant: String, component: String, at: Millis, text: String },
}

/// How soon after the last outage a new one of the same service joins its incident.
pub const JOINS: Millis = 30 * MINUTE;

impl Incident {
    /// Applies what `author` says, or returns what is wrong with it. The update is numbered when it is stored.
    pub fn say(&mut self, saying: Saying, author: &str, now: Millis) -> Result<Update, String> {
        // A clock may have been set back: nothing is said, or over, before what came first.
        let now = self.updates.last().map_or(self.started_at, |last| last.at.max(self.started_at)).max(now);
        let progress = saying.progress.unwrap_or(self.progress);
        // People who were told the stage are told when it changes, even if nobody wrote a text for that.
        let usual = || if progress == self.progress { "" } else { progress.usual_words() }.to_owned();
        let (text, note) = (saying.text.unwrap_or_else(usual), saying.note);
        let impact = saying.impact.unwrap_or(self.impact);
        let cause = saying.cause.or_else(|| self.cause.clone());
        if progress == Progress::Resolved && impact >= Impact::Major && cause.is_none() {
            return Err(format!(
                "an incident of {} impact can be resolved only with its root cause: give `cause`",
                impact.as_str()
            ));
        }
        (self.impact, self.cause, self.progress) = (impact, cause, progress);
        self.title = saying.title.unwrap_or_else(|| self.title.clone());
        self.public = saying.public.unwrap_or(self.public);
        self.resolved_at = (progress == Progress::Resolved).then(|| self.resolved_at.unwrap_or(now));
        Ok(Update { number: 0, at: now, progress, text, note, author: author.to_owned() })
    }
}

/// Work on services that was announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub id: String,
    pub tenant: String,
    pub title: String,
    pub text: String,
    pub components: Vec<String>,
    pub public: bool,
    pub from: Millis,
    pub until: Millis,
    pub announced_at: Millis,
    pub changed_at: Millis,
    /// How often it was changed.
    pub revision: u32,
    /// It will not take place, or was ended early.
    pub cancelled: bool,
    pub author: String,
}

impl Work {
    /// Whether it is going on at `now`.
    pub fn is_on(&self, now: Millis) -> bool {
        !self.cancelled && self.from <= now && now < self.until
    }

    /// Cancels the work at `now`. If it has begun, it counts as work until then.
    pub fn call_off(&mut self, now: Millis) {
        if self.from < now {
            self.until = self.until.min(now);
        } else {
            self.cancelled = true;
        }
        (self.changed_at, self.revision) = (now, self.revision + 1);
    }
}

/// Everything that people are told of services besides their condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcements {
    /// Latest first.
    pub incidents: Vec<Incident>,
    /// In order of their beginnings.
    pub works: Vec<Work>,
}

impl Announcements {
    /// Returns when `component` was or will be worked on.
    pub fn windows_of(&self, component: &str) -> Vec<Window> {
        let meant =
            self.works.iter().filter(|work| !work.cancelled && work.components.iter().any(|one| one == component));
        meant.map(|work| Window { from: work.from, until: work.until, announced_at: work.announced_at }).collect()
    }

    /// Whether an incident that was opened automatically for `component` is still open.
    pub fn has_open(&self, component: &str) -> bool {
        let mut open = self.incidents.iter().filter(|one| one.automatic && one.resolved_at.is_none());
        open.any(|one| one.components.iter().any(|about| about == component))
    }

    /// Returns until when `component` is being worked on. `None` if it is not, at `now`.
    pub fn worked_on_until(&self, component: &str, now: Millis) -> Option<Millis> {
        let on = self.works.iter().filter(|work| work.is_on(now) && work.components.iter().any(|one| one == component));
        on.map(|work| work.until).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident() -> Incident {
        Incident {
            id: "a".to_owned(),
            tenant: "acme".to_owned(),
            title: "The shop is slow".to_owned(),
            impact: Impact::Minor,
            progress: Progress::Investigating,
            components: vec!["shop".to_owned()],
            public: true,
            automatic: false,
            cause: None,
            started_at: 0,
            resolved_at: None,
            updates: Vec::new(),
        }
    }

    #[test]
    fn what_was_bad_is_resolved_with_its_cause_only_and_may_come_again() {
        let mut one = incident();
        let resolved = Saying { progress: Some(Progress::Resolved), ..Saying::default() };
        one.say(Saying { impact: Some(Impact::Major), ..Saying::default() }, "mia", 1).unwrap();
        assert!(one.say(resolved.clone(), "mia", 2).unwrap_err().contains("`cause`"));
        assert_eq!((one.progress, one.resolved_at), (Progress::Investigating, None), "nothing of it was taken");
        one.say(Saying { cause: Some("a full disk".to_owned()), ..resolved.clone() }, "mia", 3).unwrap();
        assert_eq!(one.resolved_at, Some(3));
        one.say(resolved, "mia", 4).unwrap();
        assert_eq!(one.resolved_at, Some(3), "it was over then");
        one.say(Saying { progress: Some(Progress::Identified), ..Saying::default() }, "mia", 5).unwrap();
        assert_eq!(one.resolved_at, None);
    }

    #[test]
    fn nothing_is_said_or_over_before_what_came_first() {
        let mut one = Incident { started_at: 10, ..incident() };
        let update = one.say(Saying::default(), "mia", 4).unwrap();
        assert_eq!(update.at, 10, "it began then");
        one.updates.push(Update { at: 30, ..update });
        let resolved = Saying { progress: Some(Progress::Resolved), ..Saying::default() };
        let update = one.say(resolved, "mia", 20).unwrap();
        assert_eq!((update.at, one.resolved_at), (30, Some(30)));
    }

    #[test]
    fn a_change_that_nobody_finds_words_for_is_said_all_the_same() {
        let mut one = incident();
        let mut said = |progress, text: Option<&str>| {
            let saying = Saying { progress, text: text.map(str::to_owned), ..Saying::default() };
            one.say(saying, "mia", 1).unwrap().text
        };
        assert_eq!(said(None, None), "", "a note among us, say");
        assert_eq!(said(Some(Progress::Investigating), None), "", "nothing has changed");
        assert_eq!(said(Some(Progress::Monitoring), Some("The disk is new.")), "The disk is new.");
        assert_eq!(said(Some(Progress::Resolved), None), "It is over.");
        assert_eq!(said(Some(Progress::Investigating), None), "We are looking into it again.");
    }

    #[test]
    fn work_that_is_called_off_was_work_until_then() {
        let planned = Work {
            id: "w".to_owned(),
            tenant: "acme".to_owned(),
            title: "A new database".to_owned(),
            text: String::new(),
            components: vec!["shop".to_owned()],
            public: true,
            from: 10,
            until: 20,
            announced_at: 0,
            changed_at: 0,
            revision: 0,
            cancelled: false,
            author: "mia".to_owned(),
        };
        let (mut before, mut within) = (planned.clone(), planned.clone());
        before.call_off(5);
        within.call_off(15);
        let windows = |work: Work| Announcements { works: vec![work], ..Announcements::default() }.windows_of("shop");
        assert!(windows(before).is_empty());
        assert_eq!(windows(within), [Window { from: 10, until: 15, announced_at: 0 }]);
        let announcements = Announcements { works: vec![planned], ..Announcements::default() };
        assert_eq!(
            [9, 10, 19, 20].map(|now| announcements.worked_on_until("shop", now)),
            [None, Some(20), Some(20), None]
        );
        assert_eq!(announcements.worked_on_until("mail", 15), None);
    }
}
