//! `[tenants.*]`: the SuperOps accounts that we watch.

use chrono::TimeDelta;

use crate::ticket::{StatusWords, TenantId};

use super::read_noise::time_of_day;
use super::reader::{Found, Purpose, Section, nearest};
use super::secret::SecretKeys;
use super::{Hours, Tenant, checks, duration, read_checks, read_write_back};

/// SuperOps throttles above about 100 a minute, and other tools share the budget.
pub(super) const DEFAULT_REQUESTS_PER_MINUTE: u32 = 60;
pub(super) const DEFAULT_POLL_INTERVAL: TimeDelta = TimeDelta::seconds(60);
/// A year to learn from, and a month for what is told of the year before.
pub(super) const DEFAULT_HISTORY: TimeDelta = TimeDelta::days(400);
/// The most that SuperOps has ever documented for a minute.
const MOST_REQUESTS_PER_MINUTE: i64 = 800;

const TOKEN: SecretKeys = SecretKeys { plain: "token", env: "token_env", file: "token_file" };
const HOOK_SECRET: SecretKeys = SecretKeys { plain: "hook_secret", env: "hook_secret_env", file: "hook_secret_file" };

/// Names that other sections may use, right or wrong: a broken calendar is one complaint, not two.
pub(super) struct Names<'a> {
    pub calendars: Vec<&'a str>,
    pub tenants: Vec<&'a str>,
}

pub(super) fn tenant(name: &Found<'_, &str>, section: Section<'_>, names: &Names<'_>) -> Option<Tenant> {
    let id = tenant_id(name);
    let subdomain = section
        .needed_text("subdomain", ": it is the first part of the address at which you open SuperOps")
        .and_then(|t| t.read(|text| subdomain(text)));
    let token = TOKEN.needed(&section, ": SuperOps answers nobody without an API token");
    let endpoint = endpoint(&section);
    let hook_secret = HOOK_SECRET.read(&section);
    let requests_per_minute = requests_per_minute(&section).unwrap_or(DEFAULT_REQUESTS_PER_MINUTE);
    let poll_interval = poll_interval(&section).unwrap_or(DEFAULT_POLL_INTERVAL);
    let history = history(&section).unwrap_or(DEFAULT_HISTORY);
    let nightly = section.text("nightly").and_then(|t| t.read(|text| time_of_day(text)));
    let hours = section.text("hours").and_then(|t| t.read(|text| hours(text))).unwrap_or(Hours::Msp);
    let calendar = section.text("calendar").and_then(|t| t.read(|text| known_calendar(text, names)));
    let ticket_url = section.text("ticket_url").and_then(|t| t.read(|text| ticket_url(text)));
    let automation_answers = section.flag("automatic_response_counts").is_none_or(|flag| flag.value);
    let statuses = statuses(section.table("statuses"));
    let write_back = read_write_back::write_back(section.table("write_back"));
    let allow_networks = read_checks::networks(&section);
    section.finish();
    let subdomain = subdomain?;
    Some(Tenant {
        id: id?,
        endpoint: endpoint?,
        token: token?.source,
        requests_per_minute,
        poll_interval,
        history,
        nightly,
        hours,
        calendar,
        automation_answers,
        statuses,
        hook_secret: hook_secret.and_then(|secret| secret.value),
        ticket_url: ticket_url.unwrap_or_else(|| default_ticket_url(&subdomain)),
        write_back,
        allow_networks,
        subdomain,
    })
}

/// The id is part of web addresses and of the keys under which alerts are kept.
fn tenant_id(name: &Found<'_, &str>) -> Option<TenantId> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if !name.value.chars().all(allowed) {
        name.wrong("is not a good name for a tenant: use letters, digits, - and _, since it is part of web addresses");
        return None;
    }
    TenantId::parse(name.value).map_err(|_| name.wrong("must not be a blank name")).ok()
}

fn subdomain(text: &str) -> Result<String, String> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '-';
    if text.is_empty() || !text.chars().all(allowed) {
        return Err("must be the first part of the address alone: \"acme\" for acme.superops.ai".to_owned());
    }
    Ok(text.to_owned())
}

/// Returns the address of a region, or the one given.
fn endpoint(section: &Section<'_>) -> Option<String> {
    let region = section.text("region").map(|t| t.read(|text| region(text)));
    let endpoint = section.text("endpoint").map(|t| t.read(|text| checks::private_url(text)));
    if section.has("region") && section.has("endpoint") {
        section.clash("endpoint", "clashes with `region`, which stands for an address of its own: keep one of them");
    }
    if section.has("region") || section.has("endpoint") {
        return region.or(endpoint).flatten();
    }
    if section.inspection.purpose == Purpose::Service {
        section.wrong("`region` is needed, \"us\" or \"eu\": SuperOps knows a token in its own region only");
    }
    region_address("us")
}

fn region(text: &str) -> Result<String, String> {
    region_address(text).ok_or_else(|| "must be \"us\" or \"eu\", the regions of SuperOps".to_owned())
}

fn region_address(region: &str) -> Option<String> {
    let host = match region {
        "us" => "api.superops.ai",
        "eu" => "euapi.superops.ai",
        _ => return None,
    };
    Some(format!("https://{host}/msp"))
}

fn requests_per_minute(section: &Section<'_>) -> Option<u32> {
    let rule = format!("must be from 1 to {MOST_REQUESTS_PER_MINUTE}, the most that SuperOps has documented");
    section.integer("requests_per_minute")?.read(|count| match u32::try_from(*count) {
        Ok(fits) if (1..=MOST_REQUESTS_PER_MINUTE).contains(count) => Ok(fits),
        _ => Err(rule),
    })
}

fn poll_interval(section: &Section<'_>) -> Option<TimeDelta> {
    section.text("poll_interval")?.read(|text| match duration::parse(text)? {
        short if short < TimeDelta::seconds(1) => {
            Err("must be at least 1s, so as not to exhaust the API quota".to_owned())
        }
        enough => Ok(enough),
    })
}

fn history(section: &Section<'_>) -> Option<TimeDelta> {
    section.text("history")?.read(|text| match duration::parse(text)? {
        short if short < TimeDelta::days(1) => {
            Err("must be at least 1d: how far back closed tickets are read; open ones are read in any case".to_owned())
        }
        enough => Ok(enough),
    })
}

fn hours(text: &str) -> Result<Hours, String> {
    match text {
        "msp" => Ok(Hours::Msp),
        "site" => Ok(Hours::Site),
        _ => Err("must be \"msp\" (your own hours) or \"site\" (those of the client's site)".to_owned()),
    }
}

fn known_calendar(name: &str, names: &Names<'_>) -> Result<String, String> {
    if names.calendars.contains(&name) {
        return Ok(name.to_owned());
    }
    let hint = nearest(name, names.calendars.iter().copied());
    Err(format!("names the calendar `{name}`, but there is no [calendars.{name}] to say when it is open{hint}"))
}

fn ticket_url(text: &str) -> Result<String, String> {
    if !text.contains("{id}") {
        return Err("must hold {id}, where the ticket's id goes: else every link leads to the same page".to_owned());
    }
    checks::public_url(&text.replace("{id}", "0")).map(|_| text.to_owned())
}

/// Seen in the web app, documented nowhere: hence configurable.
pub(super) fn default_ticket_url(subdomain: &str) -> String {
    format!("https://{subdomain}.superops.ai/#/tickets/{{id}}/ticket")
}

fn statuses(section: Section<'_>) -> StatusWords {
    let closed = status_names(&section, "closed");
    let paused = status_names(&section, "paused");
    let pauses_response = status_names(&section, "pauses_response");
    let open = status_names(&section, "open");
    let both = |these: &[&Option<Vec<Found<'_, &str>>>], those: &Option<Vec<Found<'_, &str>>>, list: &str| {
        for found in these.iter().copied().flatten().flatten() {
            let same = |other: &Found<'_, &str>| other.value.trim().eq_ignore_ascii_case(found.value.trim());
            if those.iter().flatten().any(same) {
                let named = found.value;
                found.wrong(format!("holds `{named}`, which is also in `{list}`: a status can mean one thing only"));
            }
        }
    };
    both(&[&paused, &pauses_response, &open], &closed, "closed");
    both(&[&paused, &pauses_response], &open, "open");
    let values = |list: Option<Vec<Found<'_, &str>>>| {
        list.map(|found| found.into_iter().map(|text| text.value.to_owned()).collect::<Vec<_>>())
    };
    let words = StatusWords::new(values(closed).as_deref(), values(paused).as_deref());
    let words = words.pausing_response(&values(pauses_response).unwrap_or_default());
    let words = words.staying_open(&values(open).unwrap_or_default());
    section.finish();
    words
}

fn status_names<'a>(section: &Section<'a>, key: &'static str) -> Option<Vec<Found<'a, &'a str>>> {
    let names = section.texts(key)?;
    names.iter().filter(|name| name.value.trim().is_empty()).for_each(|name| name.wrong("must not hold a blank name"));
    Some(names)
}
