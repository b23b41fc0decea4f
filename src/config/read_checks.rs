//! `[[checks]]`: how components are looked at.

mod asks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use toml::de::DeTable;

use crate::probe::address::{AddressRules, Network, Refusal};
use crate::probe::spec::{AT_ONE_HOST, Ask, HeartbeatAsk, Probe, PushedAsk};
use crate::uptime::observe::{Rules, holds};
use crate::uptime::places::{View, majority};
use crate::uptime::{Millis, SECOND};

use self::asks::ask;
use super::complaint::Complaints;
use super::environment::Environment;
use super::reader::{Inspection, Purpose, Section, nearest};
use super::secret::SecretKeys;
use super::uptime::Check;
use super::{checks, duration};

const INTERVAL: TimeDelta = TimeDelta::seconds(60);
const LEAST_INTERVAL: TimeDelta = TimeDelta::seconds(1);
const DEADLINE: Duration = Duration::from_secs(10);
const LONGEST_DEADLINE: TimeDelta = TimeDelta::seconds(60);
/// The most looks in a row that may be required: more prove nothing more.
const IN_A_ROW_MOST: i64 = 20;
/// How long an outpost's results may be under way if its line is bad.
const UNDER_WAY: Millis = 30 * SECOND;
/// How `places` names the watch itself.
const HERE: &str = "here";
/// The most places for one check: more prove nothing more.
const PLACES_MOST: usize = 10;

const TOKEN: SecretKeys = SecretKeys { plain: "token", env: "token_env", file: "token_file" };

/// Also returns the component of each check that cannot be read, as it is written.
pub(super) fn checks(
    root: &Section<'_>,
    components: &[&str],
    outposts: &[&str],
    rules: impl Fn(&str) -> Arc<AddressRules>,
) -> (Vec<Check>, Vec<String>) {
    let (mut seen, mut tokens) = (BTreeSet::new(), Tokens::default());
    let (mut all, mut unread) = (Vec::new(), Vec::new());
    for section in root.each("checks").unwrap_or_default() {
        let (place, component) = (section.place(), section.text("component"));
        let found = from_places(section, components, outposts, &rules, &mut tokens);
        if found.is_empty() {
            unread.push(component.map(|named| named.value.to_owned()).unwrap_or_default());
        }
        for check in found {
            if !seen.insert(check.id.clone()) {
                root.wrong(format!("the check at {place} is called `{}` like another one: give it a `name`", check.id));
            }
            all.push(check);
        }
    }
    hold_for_a_round(&mut all);
    (all, unread)
}

/// Lets results hold longer, since a look has to wait for the others if everything on one host hangs.
fn hold_for_a_round(all: &mut [Check]) {
    let host = |check: &Check| (check.place().map(str::to_owned), check.probe.ask.host().to_owned());
    let mut deadlines: BTreeMap<_, Millis> = BTreeMap::new();
    for check in all.iter().filter(|check| check.probe.ask.is_active()) {
        *deadlines.entry(host(check)).or_default() += millis(check.probe.deadline);
    }
    for check in all.iter_mut().filter(|check| check.probe.ask.is_active()) {
        let (deadline, interval) = (millis(check.probe.deadline), check.rules.interval);
        let others = deadlines[&host(check)] - deadline;
        let round = deadline + others / AT_ONE_HOST as Millis;
        check.rules.holds += holds(interval, round, deadline) - holds(interval, deadline, deadline);
    }
}

fn millis(length: Duration) -> Millis {
    Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX)
}

/// Reads a check that the watch has sent to an outpost: `text` is the table, `allowed` what may be asked from there.
pub fn sent_check(
    text: &str,
    component: &str,
    env: &dyn Environment,
    allowed: &Arc<AddressRules>,
) -> Result<Check, Complaints> {
    let path = Path::new(component);
    let inspection = Inspection::new(env, Purpose::Service).of(path, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let root = Section::root(&inspection, document.get_ref());
    let (mut all, _) = checks(&root, &[component], &[], |_| allowed.clone());
    let check = all.pop();
    let mut faults = inspection.into_faults();
    faults.extend(errors.iter().map(|error| (error.span().map_or(0, |span| span.start), error.message().to_owned())));
    match check {
        Some(check) if faults.is_empty() => Ok(check),
        _ => Err(Complaints::locate(path, text, faults)),
    }
}

/// Reads a check, once for each place that looks.
fn from_places(
    section: Section<'_>,
    components: &[&str],
    outposts: &[&str],
    rules: impl Fn(&str) -> Arc<AddressRules>,
    tokens: &mut Tokens,
) -> Vec<Check> {
    let places = places(&section, outposts);
    // Places that cannot be read have their own complaint, and count all the same.
    let most = if places.is_none() && section.has("places") { PLACES_MOST } else { section.count("places").max(1) };
    let quorum = section.integer("quorum").and_then(|n| n.read(|n| quorum(*n, most))).unwrap_or(majority(most));
    if section.has("quorum") && !section.has("places") {
        section.clash("quorum", "needs `places`, of which so many have to agree");
    }
    for told in ["heartbeat", "pushed"] {
        if section.has("places") && section.flag(told).is_some_and(|found| found.value) {
            section.clash("places", &format!("clashes with `{told}`: we do not look at what is reported to us"));
        }
    }
    let check = check(&section, components, rules);
    let from_here = places.as_ref().is_none_or(|places| places.iter().any(|place| place == HERE));
    if let Some(check) = check.as_ref().filter(|_| from_here) {
        never_asked(&section, &check.probe);
    }
    if let Some((check, token)) = check.as_ref().and_then(|check| Some((check, check.probe.ask.token()?))) {
        tokens.note(&section, check.probe.ask.kind(), token, &check.id);
    }
    section.finish();
    let Some(check) = check else { return Vec::new() };
    let Some(places) = places else { return vec![check] };
    let from = |place: String| from_place(&check, Some(place).filter(|place| place != HERE), quorum);
    places.into_iter().map(from).collect()
}

/// Notes an address that is refused: it would be looked at for ever, and never known.
fn never_asked(section: &Section<'_>, probe: &Probe) {
    let Ok(address) = probe.ask.host().trim_matches(['[', ']']).parse() else { return };
    let (Err(refusal), Some(url)) =
        (probe.addresses.judge(address, probe.ask.port().unwrap_or_default()), section.key("url"))
    else {
        return;
    };
    let remedy = match refusal {
        Refusal::Never(_) | Refusal::Ourselves => "give another address".to_owned(),
        Refusal::NotAllowed(_) => format!("write allow_networks = [\"{address}\"] in the table of its tenant"),
    };
    url.futile(format!("is never asked: {address} is {refusal}; {remedy}"));
}

/// Notes a limit that is never reached: an answer that takes as long as a look may take is a failure.
fn never_slow(section: &Section<'_>, slow: Option<Duration>, deadline: Duration) {
    if slow.is_some_and(|slow| slow >= deadline)
        && let Some(key) = section.key("slow")
    {
        let most = duration::show(TimeDelta::from_std(deadline).unwrap_or_default());
        key.futile(format!(
            "is never reached: after {most}, the `timeout`, a look has failed; make it shorter than that"
        ));
    }
}

fn from_place(check: &Check, place: Option<String>, quorum: usize) -> Check {
    let mut own = check.clone();
    if let Some(place) = &place {
        own.id = format!("{}@{place}", check.id);
        own.rules.holds += UNDER_WAY;
    }
    own.view = Some(View { of: check.id.clone(), place, quorum });
    own
}

/// `places = ["here", "berlin"]`; none: from here alone.
fn places(section: &Section<'_>, outposts: &[&str]) -> Option<Vec<String>> {
    let found = section.texts("places")?;
    let mut places: Vec<String> = Vec::new();
    for place in found {
        let known = place.clone().read(|name| known_place(name, outposts));
        match known {
            Some(name) if places.contains(&name) => place.wrong(format!("names `{name}` twice")),
            Some(name) => places.push(name),
            None => {}
        }
    }
    if !(1..=PLACES_MOST).contains(&section.count("places")) {
        section.clash("places", &format!("must name 1 to {PLACES_MOST} places: \"here\", or outposts"));
    }
    Some(places).filter(|places| !places.is_empty())
}

fn known_place(name: &str, outposts: &[&str]) -> Result<String, String> {
    if name == HERE || outposts.contains(&name) {
        return Ok(name.to_owned());
    }
    let hint = nearest(name, outposts.iter().copied().chain([HERE]));
    Err(format!("names the place `{name}`, which is neither \"here\" nor one of [outposts.*]{hint}"))
}

fn quorum(number: i64, most: usize) -> Result<usize, String> {
    let known = usize::try_from(number).ok().filter(|number| (1..=most).contains(number));
    known.ok_or_else(|| format!("must be from 1 to {most}, the number of `places`"))
}

fn check(section: &Section<'_>, components: &[&str], rules: impl Fn(&str) -> Arc<AddressRules>) -> Option<Check> {
    let written = section.written("checks", &["places", "quorum"]).into();
    let component = section.needed_text("component", ": it says what is looked at");
    let component = component.and_then(|t| t.read(|name| known_component(name, components)));
    let name = section.text("name").and_then(|t| t.read(|text| check_name(text)));
    let interval = length(section, "interval", LEAST_INTERVAL, TimeDelta::days(400)).unwrap_or(INTERVAL);
    let deadline = length(section, "timeout", TimeDelta::milliseconds(1), LONGEST_DEADLINE);
    let deadline = deadline.and_then(|length| length.to_std().ok()).unwrap_or(DEADLINE);
    let slow = length(section, "slow", TimeDelta::milliseconds(1), LONGEST_DEADLINE);
    let slow = slow.and_then(|length| length.to_std().ok());
    never_slow(section, slow, deadline);
    let in_a_row = |key, usual| section.integer(key).and_then(|n| n.read(|n| in_a_row(*n))).unwrap_or(usual);
    let is_quick = interval < TimeDelta::seconds(5);
    let ask = ask(section, interval);
    let passive = ask.as_ref().is_some_and(|ask| !ask.is_active());
    // A service that reports on itself is believed the first time.
    let failures = in_a_row(
        "failures",
        if passive {
            1
        } else if is_quick {
            2
        } else {
            3
        },
    );
    let successes = in_a_row("successes", if passive { 1 } else { 2 });
    let mut rules_of_time = Rules::every(interval.num_milliseconds(), millis(deadline), failures, successes);
    if let Some(Ask::Pushed(PushedAsk { grace, .. }) | Ask::Heartbeat(HeartbeatAsk { grace, .. })) = &ask {
        // A result holds until the next one is missed.
        rules_of_time.holds = rules_of_time.interval + grace;
        rules_of_time.silence_is_down = ask.as_ref().is_some_and(|ask| ask.silence().is_some());
    }
    let extra_roots = Arc::new(authorities(section));
    if name.is_none() && section.has("name") {
        return None;
    }
    let (ask, component) = (ask?, component?);
    let probe = Probe { deadline, slow, addresses: rules(&component), extra_roots, ask };
    let name = name.unwrap_or_else(|| probe.ask.kind().to_owned());
    Some(Check { id: format!("{component}/{name}"), component, rules: rules_of_time, probe, view: None, written })
}

fn check_name(text: &str) -> Result<String, String> {
    let name = checks::not_blank(text)?;
    if name.contains('/') || name.chars().any(char::is_control) || name.len() > 64 {
        return Err("must be a name of at most 64 letters without /".to_owned());
    }
    Ok(name)
}

fn in_a_row(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=IN_A_ROW_MOST).contains(&i64::from(*number)))
        .ok_or_else(|| format!("must be from 1 to {IN_A_ROW_MOST}"))
}

fn length(section: &Section<'_>, key: &'static str, least: TimeDelta, most: TimeDelta) -> Option<TimeDelta> {
    section.text(key)?.read(|text| match duration::parse(text)? {
        length if length < least => {
            Err(format!("must be {} or more", duration::show(least.max(TimeDelta::seconds(1)))))
        }
        length if length > most => Err(format!("must be {} or less", duration::show(most))),
        length => Ok(length),
    })
}

/// Which token identifies which caller, for each way of calling. Of two with one token, only the first is ever heard.
#[derive(Default)]
pub(super) struct Tokens(BTreeMap<(&'static str, String), String>);

impl Tokens {
    /// Notes that `whose` is identified by the token that `section` names: by its `value`, or if unread, by its name.
    pub fn note(&mut self, section: &Section<'_>, way: &'static str, value: &SecretString, whose: &str) {
        let keys = [TOKEN.env, TOKEN.file].into_iter();
        let Some(named) = keys.filter_map(|key| section.text(key)).next() else { return };
        let token = match value.expose_secret() {
            "" => named.value.trim(),
            value => value,
        };
        if let Some(first) = self.0.get(&(way, token.to_owned())) {
            named.futile(format!(
                "names the same token as that of `{first}`: whoever shows it is taken for that one, and `{whose}` is never \
                 heard; give each a token of its own"
            ));
        } else {
            self.0.insert((way, token.to_owned()), whose.to_owned());
        }
    }
}

pub(super) fn token(section: &Section<'_>, why: &str) -> Option<SecretString> {
    let named = TOKEN.needed(section, why);
    match section.inspection.purpose {
        Purpose::Service => named?.value,
        Purpose::Offline => Some(SecretString::default()),
    }
}

/// Reads the certificates in the file that `ca_file` names.
fn authorities(section: &Section<'_>) -> Vec<CertificateDer<'static>> {
    let Some(found) = section.text("ca_file") else { return Vec::new() };
    let inspection = found.inspection();
    let read = found.read(|name| {
        let text = inspection.read_beside(name).map_err(|_| format!("names `{name}`, which cannot be read"))?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        match all {
            Ok(all) if !all.is_empty() => Ok(all),
            _ => Err(format!("names `{name}`, which holds no certificate in PEM")),
        }
    });
    read.unwrap_or_default()
}

/// Returns `name` if it is one of `ids`, else the rule that it breaks.
pub(super) fn known_component(name: &str, ids: &[&str]) -> Result<String, String> {
    if ids.contains(&name) {
        return Ok(name.to_owned());
    }
    let hint = nearest(name, ids.iter().copied());
    Err(format!("names the component `{name}`, but there is no [components.{name}]{hint}"))
}

/// Reads `allow_networks` of a tenant.
pub(super) fn networks(section: &Section<'_>) -> Vec<Network> {
    let found = section.texts("allow_networks").unwrap_or_default();
    found.into_iter().filter_map(|found| found.read(|text| Network::parse(text))).collect()
}
