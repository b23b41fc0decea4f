//! The people and words of the look-alike's account: who works there, for whom, and what they call things.
//!
//! Rows are kept as the JSON that the API returns. Ids inside JSON leaves are bare 19-digit numbers for some and text
//! for others, as on a real account.

use std::sync::Arc;

use apollo_compiler::response::serde_json_bytes::json;
use apollo_compiler::response::{JsonMap, JsonValue};
use chrono::NaiveTime;

use super::hours::Hours;
use super::targets::{DEFAULT, GOLD, PRIORITIES, SILVER};
use super::ticket::{Ref, Text};
use crate::sla::zone::Tz;
use crate::ticket::StatusWords;

/// The base of each kind of id; the real ones also seem to count from separate bases.
const TECHNICIAN: u64 = 5_120_044_817_230_462_970;
const GROUP: u64 = 5_120_044_900_112_345_088;
const SLA: u64 = 5_120_044_911_223_345_152;
const CLIENT: u64 = 6_841_203_957_716_402_176;
const SITE: u64 = 6_841_203_958_194_552_832;
const WORD: u64 = 5_120_044_930_000_000_000;

/// Everybody's manager.
pub const MANAGER: &str = "Dana Whitfield";

/// Technician, home group, phone, and how long a task takes compared with the average.
const TEAM: [(&str, usize, Option<&str>, f64); 8] = [
    ("Mateo Alvarez", 0, Some("+15005550101"), 0.85),
    ("Ingrid Sørensen", 1, Some("+15005550102"), 0.9),
    ("Yuki Tanaka", 0, Some("+15005550103"), 1.0),
    ("Amara Okafor", 2, Some("+15005550104"), 0.9),
    ("Luca Bianchi", 1, Some("+15005550105"), 1.35),
    ("Zoë O'Brien", 0, None, 1.05),
    ("Priyanka Rao", 2, Some("+15005550107"), 1.15),
    ("Søren Ødegård", 0, Some("+15005550108"), 1.0),
];
const GROUPS: [&str; 3] = ["Service Desk L1", "Network", "Projects"];

/// Client, its SLA, the team index of its account manager, and its site: name, zone, hours (none: round the clock).
type ClientRow = (&'static str, &'static str, Option<usize>, &'static str, &'static str, Option<(u32, u32)>);
const CLIENTS: [ClientRow; 6] = [
    ("Harbour Dental Group", GOLD, Some(0), "HQ - Leeds", "Europe/London", Some((9, 17))),
    ("Globex Corporation", SILVER, Some(1), "Manhattan", "America/New_York", Some((8, 18))),
    ("Ørsted & Søn ApS", SILVER, Some(3), "København", "Europe/Copenhagen", Some((8, 16))),
    ("Café Überall GmbH", DEFAULT, None, "Berlin Mitte", "Europe/Berlin", Some((7, 19))),
    ("Lord Howe Lodge", SILVER, Some(6), "Front desk", "Australia/Lord_Howe", Some((8, 17))),
    ("Initech Hosting", GOLD, Some(1), "DC-1", "America/Los_Angeles", None),
];

/// The tenant's own status names; the desk uses all of them.
pub const STATUSES: [&str; 10] = [
    "New Calls",
    "Open",
    "In Progress",
    "Customer Replied",
    "Waiting on Customer",
    "On Hold",
    "Reopened",
    "Resolved",
    "Closed",
    "Closed (no response)",
];
const CLOSED: [&str; 4] = ["Resolved", "Closed", "Closed (no response)", COMPLETED];
const PAUSED: [&str; 3] = ["Waiting on Customer", "On Hold", PARKED];

/// Words for resolved and on hold that are in no list of status names.
pub const COMPLETED: &str = "Completed";
pub const PARKED: &str = "Parked";

/// Returns the `nth` technician who can get text messages, starting over after the last.
pub fn texted_technician(nth: usize) -> &'static str {
    let texted: Vec<_> = TEAM.iter().filter(|(_, _, phone, _)| phone.is_some()).map(|(name, ..)| *name).collect();
    texted[nth % texted.len()]
}

/// A technician, and what the desk knows about the person.
#[derive(Clone, Debug)]
pub struct Person {
    pub who: Ref,
    /// The index of the home group.
    pub group: usize,
    /// How long a task takes this person, compared with the average.
    pub slowness: f64,
}

/// A client with its only site.
#[derive(Clone, Debug)]
pub struct Customer {
    pub client: Ref,
    pub site: Ref,
    pub hours: Arc<Hours>,
    pub sla: Ref,
}

/// One account: everything a ticket may point at.
#[derive(Clone, Debug)]
pub struct Msp {
    pub people: Vec<Person>,
    pub groups: Vec<Ref>,
    pub customers: Vec<Customer>,
    pub slas: Vec<Ref>,
    pub statuses: Vec<Text>,
    pub priorities: Vec<Text>,
    /// What the status names mean to this account; the API does not tell.
    pub words: StatusWords,
    pub rows: Rows,
}

/// The answers of the lists that hardly ever change.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub technicians: Vec<JsonMap>,
    pub clients: Vec<JsonMap>,
    pub sites: Vec<JsonMap>,
}

impl Msp {
    /// Creates the made-up account that the living desk works for.
    pub fn made_up() -> Self {
        let mut msp = Self::with_words(&STATUSES, &PRIORITIES, &CLOSED, &PAUSED);
        msp.slas = refs(SLA, &[GOLD, SILVER, DEFAULT]);
        for group in GROUPS {
            msp.group(group);
        }
        for (name, group, phone, slowness) in TEAM {
            msp.hire(name, group, phone, slowness);
        }
        for row in CLIENTS {
            msp.sign(row);
        }
        msp
    }

    /// Creates an account with nobody but the manager, with the words of a history.
    pub fn with_words(statuses: &[&str], priorities: &[&str], closed: &[&str], paused: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
        Self {
            people: Vec::new(),
            groups: Vec::new(),
            customers: Vec::new(),
            slas: Vec::new(),
            statuses: statuses.iter().map(|&name| name.into()).collect(),
            priorities: priorities.iter().map(|&name| name.into()).collect(),
            words: StatusWords::configured(&owned(closed), &owned(paused)),
            rows: Rows { technicians: vec![manager_row()], ..Rows::default() },
        }
    }

    /// Returns the technician of that name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| &*person.who.name == name)
    }

    /// Adds a technician to the group with index `group`.
    pub fn hire(&mut self, name: &str, group: usize, phone: Option<&str>, slowness: f64) -> Ref {
        let who = Ref { id: TECHNICIAN + 6 + self.people.len() as u64, name: name.into() };
        let groups = self.groups.get(group).map(|group| json!([group_leaf(group)]));
        self.rows.technicians.push(technician_row(&who, phone, groups));
        self.people.push(Person { who: who.clone(), group, slowness });
        who
    }

    /// Returns the group of that name, creating it if it is new.
    pub fn group(&mut self, name: &str) -> Ref {
        if let Some(group) = self.groups.iter().find(|group| &*group.name == name) {
            return group.clone();
        }
        let group = Ref { id: GROUP + self.groups.len() as u64, name: name.into() };
        self.groups.push(group.clone());
        group
    }

    /// Adds an SLA.
    pub fn promise(&mut self, name: &str) -> Ref {
        let sla = Ref { id: SLA + self.slas.len() as u64, name: name.into() };
        self.slas.push(sla.clone());
        sla
    }

    /// Adds a client with one site.
    fn sign(&mut self, (name, sla, manager, site, timezone, hours): ClientRow) {
        let timezone = Tz::named(timezone);
        let nth = self.customers.len() as u64;
        let client = Ref { id: CLIENT + nth, name: name.into() };
        let site = Ref { id: SITE + nth, name: site.into() };
        let sla = self.slas.iter().find(|known| &*known.name == sla).cloned();
        let sla = sla.unwrap_or_else(|| self.promise(DEFAULT));
        let hours =
            hours.map_or_else(Hours::always, |(opens, closes)| Hours::weekdays(timezone, hour(opens), hour(closes)));
        let manager = manager.map(|index| person_leaf(&self.people[index].who, true));
        self.rows.clients.push(client_row(&client, Some(&site), manager));
        self.rows.sites.push(site_row(&client, &site, timezone, &hours));
        self.customers.push(Customer { client, site, hours: Arc::new(hours), sla });
    }

    /// Adds a client of which only the name is known; the manager looks after it.
    pub fn take_on(&mut self, name: &str) -> Ref {
        let client = Ref { id: CLIENT + self.rows.clients.len() as u64, name: name.into() };
        self.rows.clients.push(client_row(&client, None, Some(person_leaf(&manager(), false))));
        client
    }

    /// Returns `{id, name}` rows for a list of words.
    pub fn word_rows(words: &[Text]) -> Vec<JsonMap> {
        words.iter().zip(WORD..).map(|(name, id)| object(json!({"id": id.to_string(), "name": &**name}))).collect()
    }

    /// Returns the only holiday list; its dates cannot be had.
    pub fn holiday_rows() -> Vec<JsonMap> {
        vec![object(holiday_list())]
    }
}

fn refs(base: u64, names: &[&str]) -> Vec<Ref> {
    names.iter().zip(base..).map(|(&name, id)| Ref { id, name: name.into() }).collect()
}

fn hour(hour: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()
}

/// Returns the fields of a JSON object.
pub fn object(value: JsonValue) -> JsonMap {
    match value {
        JsonValue::Object(map) => map,
        _ => JsonMap::new(),
    }
}

/// Writes an id inside a JSON leaf: a bare number for some, text for others.
fn leaf_id(id: u64, bare: bool) -> JsonValue {
    if bare { json!(id) } else { json!(id.to_string()) }
}

/// Writes a technician or requester inside a JSON leaf.
pub fn person_leaf(who: &Ref, bare: bool) -> JsonValue {
    json!({"userId": leaf_id(who.id, bare), "name": &*who.name})
}

/// Writes a client inside a JSON leaf.
pub fn client_leaf(client: &Ref, bare: bool) -> JsonValue {
    json!({"accountId": leaf_id(client.id, bare), "name": &*client.name})
}

/// Writes a site, SLA or the like inside a JSON leaf.
pub fn plain_leaf(thing: &Ref, bare: bool) -> JsonValue {
    json!({"id": leaf_id(thing.id, bare), "name": &*thing.name})
}

/// Writes a technician group inside a JSON leaf.
pub fn group_leaf(group: &Ref) -> JsonValue {
    json!({"groupId": leaf_id(group.id, group.id.is_multiple_of(2)), "name": &*group.name})
}

fn manager() -> Ref {
    Ref { id: TECHNICIAN, name: MANAGER.into() }
}

fn manager_row() -> JsonMap {
    let mut row = technician_row(&manager(), Some("+15005550100"), None);
    row.insert("reportingManager", JsonValue::Null);
    row.insert("role", json!({"roleId": 2, "name": "Manager"}));
    row
}

fn technician_row(who: &Ref, phone: Option<&str>, groups: Option<JsonValue>) -> JsonMap {
    let (first, last) = who.name.split_once(' ').map_or((&*who.name, None), |(first, last)| (first, Some(last)));
    object(json!({
        "userId": who.id.to_string(),
        "firstName": first,
        "lastName": last,
        "name": &*who.name,
        "email": address(&who.name),
        "contactNumber": phone,
        "designation": {"designationId": "1", "name": "Engineer"},
        "team": {"teamId": WORD, "name": "Desk"},
        "reportingManager": person_leaf(&manager(), true),
        "role": {"roleId": 3, "name": "Technician"},
        "groups": groups,
    }))
}

/// Makes up the address of a mailbox that does not exist.
fn address(name: &str) -> String {
    let plain = |letter: char| match letter {
        'ø' | 'Ø' => 'o',
        'å' => 'a',
        'ë' => 'e',
        ' ' => '.',
        other => other.to_ascii_lowercase(),
    };
    let local: String =
        name.chars().map(plain).filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect();
    format!("{local}@example.com")
}

fn client_row(client: &Ref, site: Option<&Ref>, manager: Option<JsonValue>) -> JsonMap {
    object(json!({
        "accountId": client.id.to_string(),
        "name": &*client.name,
        "stage": "Active",
        "status": "Paid",
        "emailDomains": ["client.example.com"],
        "accountManager": manager,
        "hqSite": site.map(|site| plain_leaf(site, true)),
    }))
}

fn site_row(client: &Ref, site: &Ref, timezone: Tz, hours: &Hours) -> JsonMap {
    object(json!({
        "id": site.id.to_string(),
        "name": &*site.name,
        "businessHour": business_hours(hours),
        "holidayList": hours.window().map(|_| holiday_list()),
        "timezoneCode": timezone.name(),
        "working24x7": hours.window().is_none(),
        "client": client_leaf(client, true),
        "hq": true,
    }))
}

fn business_hours(hours: &Hours) -> JsonValue {
    let Some((opens, closes)) = hours.window() else { return JsonValue::Null };
    let row = |day: &str| json!({"day": day, "start": opens.format("%H:%M").to_string(), "end": closes.format("%H:%M").to_string()});
    ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"].map(row).to_vec().into()
}

fn holiday_list() -> JsonValue {
    json!({"id": "5120044980000000001", "name": "UK Bank Holidays"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_plain_mailbox_and_one_has_no_phone() {
        let msp = Msp::made_up();
        let mails: Vec<&str> = msp.rows.technicians.iter().filter_map(|row| row["email"].as_str()).collect();
        assert_eq!(mails.len(), 9);
        assert!(mails.iter().all(|mail| mail.is_ascii() && mail.ends_with("@example.com")), "{mails:?}");
        assert!(mails.contains(&"soren.odegard@example.com") && mails.contains(&"zoe.obrien@example.com"));
        assert_eq!(msp.rows.technicians.iter().filter(|row| row["contactNumber"].is_null()).count(), 1);
    }

    #[test]
    fn a_site_without_hours_works_round_the_clock() {
        let msp = Msp::made_up();
        let round_the_clock: Vec<&JsonMap> =
            msp.rows.sites.iter().filter(|row| row["working24x7"] == json!(true)).collect();
        assert_eq!(round_the_clock.len(), 1);
        assert!(round_the_clock[0]["businessHour"].is_null());
    }
}
