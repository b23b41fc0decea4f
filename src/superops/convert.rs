//! Converts SuperOps' JSON into our types; the only file that knows its names.
//!
//! A record is read field by field. A field that makes no sense is left blank and named, and a record is rejected only
//! if it cannot be identified. So one odd record never costs a page.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc, Weekday};

use super::gaps::{Gaps, RowGaps};
use super::json::{Fields, Value};
use super::operations::PAGE_SIZE;
use super::{Conversation, ConversationKind, Gap, Listed, Note, Page, Reject, TicketPage};
use crate::ticket::{Client, Flaw, Named, RefId, Reported, Site, SiteHours, Technician, Ticket, TicketId, Unknown};

/// Where an association keeps its id: each kind has its own name for it.
const ID_KEYS: [&str; 5] = ["accountId", "userId", "groupId", "id", "siteId"];

/// Reads a page of `getTicketList`. `None` if it is not a list, or an error stands in place of all its rows.
pub(super) fn ticket_page(data: &Value, gaps: &Gaps) -> Option<TicketPage> {
    let mut page = TicketPage { has_more: has_more(data, "tickets"), total: total(data), ..TicketPage::default() };
    for (index, record) in rows(data, gaps, "tickets")?.iter().enumerate() {
        match ticket(record) {
            Ok(ticket) => page.push(ticket, record, &gaps.of_row(Some(("tickets", index)))),
            Err(reject) => page.rejects.push(reject),
        }
    }
    Some(page)
}

/// Reads the answer to `getTicket` as a page of one ticket.
pub(super) fn single_page(data: &Value, gaps: &Gaps) -> Result<TicketPage, Reject> {
    let mut page = TicketPage::default();
    page.push(ticket(data)?, data, &gaps.of_row(None));
    Ok(page)
}

impl TicketPage {
    fn push(&mut self, mut ticket: Ticket, record: &Value, gaps: &RowGaps<'_>) {
        let blank = |field: &&str| record.get(field).is_none_or(Value::is_null);
        let failed: Vec<_> = TICKET.into_iter().filter(|field| gaps.failed(field)).filter(blank).collect();
        let unasked: Vec<_> = TICKET.into_iter().filter(|field| gaps.unasked(field)).collect();
        // A value that makes no sense is not a change either; and a ticket is never without a status.
        let is_flawed = |field: &str| ticket.flaws.iter().any(|flaw| flaw.field == field);
        let senseless = |field: &&str| is_flawed(field) || (*field == "status" && ticket.status.is_none());
        let told = |field: &&str| !failed.contains(field) && !unasked.contains(field);
        let senseless: Vec<_> = TICKET.into_iter().filter(told).filter(senseless).collect();
        if !failed.is_empty() || !unasked.is_empty() || !senseless.is_empty() {
            ticket
                .flaws
                .retain(|flaw| !failed.contains(&flaw.field.as_str()) && !unasked.contains(&flaw.field.as_str()));
            let flaws =
                failed.iter().map(|field| (*field, FAILED)).chain(unasked.iter().map(|field| (*field, UNASKED)));
            ticket.flaws.extend(flaws.map(|(field, why)| Flaw { field: field.to_owned(), why: why.to_owned() }));
            ticket.unknown = unknown(&failed);
            let gap = Gap { may_be_asked: !failed.is_empty(), fields: [failed, unasked, senseless].concat() };
            self.gaps.insert(ticket.id.clone(), gap);
        }
        self.tickets.push(ticket);
    }
}

/// The fields of a ticket that may be blank.
const TICKET: [&str; 19] = [
    "displayId",
    "subject",
    "requestType",
    "status",
    "priority",
    "category",
    "client",
    "site",
    "techGroup",
    "technician",
    "sla",
    "createdTime",
    "updatedTime",
    "firstResponseDueTime",
    "firstResponseTime",
    "firstResponseViolated",
    "resolutionDueTime",
    "resolutionTime",
    "resolutionViolated",
];
/// Returns what cannot be known of a ticket because SuperOps failed to give these `fields`.
fn unknown(fields: &[&str]) -> Vec<Unknown> {
    let unknown = |field: &&str| match *field {
        "status" => Some(Unknown::Status),
        "sla" | "priority" | "client" | "category" | "createdTime" => Some(Unknown::Terms),
        "firstResponseDueTime" | "firstResponseTime" => Some(Unknown::FirstResponse),
        "resolutionDueTime" | "resolutionTime" => Some(Unknown::Resolution),
        _ => None,
    };
    fields.iter().filter_map(unknown).collect::<BTreeSet<_>>().into_iter().collect()
}

const FAILED: &str = "SuperOps answers with an error in its place";
const UNASKED: &str = "SuperOps does not know this field now";
const KEPT: &str = "SuperOps does not give it now; the last known value stays";

/// Whether asking for the ticket again may bring what is missing: SuperOps failed to give it, and it was never known.
pub fn lacks(ticket: &Ticket) -> bool {
    ticket.flaws.iter().any(|flaw| flaw.why == FAILED)
}

/// Fills the fields in `gap`, which this reading did not bring, with what was known `before`.
pub fn completed(mut ticket: Ticket, gap: &Gap, before: &Ticket) -> Ticket {
    let was_unknown = |field: &str| before.flaws.iter().any(|flaw| flaw.field == field && flaw.why != KEPT);
    let never_came = |field: &&str| before.flaws.iter().any(|flaw| flaw.field == **field && flaw.why == FAILED);
    ticket.unknown = unknown(&gap.fields.iter().copied().filter(never_came).collect::<Vec<_>>());
    for flaw in ticket.flaws.iter_mut().filter(|flaw| flaw.why == FAILED || flaw.why == UNASKED) {
        if !was_unknown(&flaw.field) {
            KEPT.clone_into(&mut flaw.why);
        }
    }
    for field in &gap.fields {
        match *field {
            "displayId" => ticket.display_id.clone_from(&before.display_id),
            "subject" => ticket.subject.clone_from(&before.subject),
            "requestType" => ticket.request_type.clone_from(&before.request_type),
            "status" => ticket.status.clone_from(&before.status),
            "priority" => ticket.priority.clone_from(&before.priority),
            "category" => ticket.category.clone_from(&before.category),
            "client" => ticket.client.clone_from(&before.client),
            "site" => ticket.site.clone_from(&before.site),
            "techGroup" => ticket.group.clone_from(&before.group),
            "technician" => ticket.technician.clone_from(&before.technician),
            "sla" => ticket.sla.clone_from(&before.sla),
            "createdTime" => ticket.created_at = before.created_at,
            "updatedTime" => ticket.updated_at = before.updated_at,
            "firstResponseDueTime" => ticket.first_response.due = before.first_response.due,
            "firstResponseTime" => ticket.first_response.met_at = before.first_response.met_at,
            "firstResponseViolated" => ticket.first_response.breached = before.first_response.breached,
            "resolutionDueTime" => ticket.resolution.due = before.resolution.due,
            "resolutionTime" => ticket.resolution.met_at = before.resolution.met_at,
            "resolutionViolated" => ticket.resolution.breached = before.resolution.breached,
            _ => {}
        }
    }
    ticket
}

/// Reads one ticket.
pub(super) fn ticket(record: &Value) -> Result<Ticket, Reject> {
    let mut read = Reader::new(record)?;
    let id = read.own_id("ticketId")?;
    let id = TicketId::parse(&id).map_err(|blank| Reject::new(None, "ticketId", blank.to_string()))?;
    let mut ticket = Ticket {
        display_id: read.required("displayId").unwrap_or_else(|| id.to_string()),
        id,
        subject: read.required("subject").unwrap_or_default(),
        request_type: read.text("requestType"),
        status: read.text("status"),
        priority: read.text("priority"),
        category: read.text("category"),
        client: read.named("client"),
        site: read.named("site"),
        group: read.named("techGroup"),
        technician: read.named("technician"),
        sla: read.named("sla"),
        created_at: read.time("createdTime"),
        updated_at: read.time("updatedTime"),
        first_response: read.reported("firstResponseDueTime", "firstResponseTime", "firstResponseViolated"),
        resolution: read.reported("resolutionDueTime", "resolutionTime", "resolutionViolated"),
        flaws: Vec::new(),
        unknown: Vec::new(),
    };
    ticket.flaws = read.flaws;
    Ok(ticket)
}

/// Reads a page of `getTechnicianList`.
pub(super) fn technicians(data: &Value, gaps: &Gaps) -> Option<Page<Technician>> {
    page(data, gaps, "userList", |read| {
        let id = read.ref_id("userId")?;
        Ok(Technician {
            name: read.required("name").unwrap_or_else(|| id.to_string()),
            id,
            email: read.text("email"),
            phone: read.text("contactNumber"),
            manager: read.named("reportingManager"),
            groups: read.many("groups"),
        })
    })
}

/// Reads a page of `getClientList`.
pub(super) fn clients(data: &Value, gaps: &Gaps) -> Option<Page<Client>> {
    page(data, gaps, "clients", |read| {
        let id = read.ref_id("accountId")?;
        let name = read.required("name").unwrap_or_else(|| id.to_string());
        Ok(Client { id, name, account_manager: read.named("accountManager") })
    })
}

/// Reads a page of `getClientSiteList`.
pub(super) fn sites(data: &Value, gaps: &Gaps) -> Option<Page<Site>> {
    page(data, gaps, "sites", |read| {
        let id = read.ref_id("id")?;
        Ok(Site {
            name: read.required("name").unwrap_or_else(|| id.to_string()),
            id,
            client: read.named("client"),
            timezone: read.text("timezoneCode"),
            always_open: read.flag("working24x7").unwrap_or(false),
            hours: read.hours("businessHour"),
            holiday_list: read.named("holidayList"),
        })
    })
}

impl Listed for Technician {
    fn id(&self) -> &RefId {
        &self.id
    }

    fn keep(&mut self, field: &str, before: &Self) {
        match field {
            "name" => self.name.clone_from(&before.name),
            "email" => self.email.clone_from(&before.email),
            "contactNumber" => self.phone.clone_from(&before.phone),
            "reportingManager" => self.manager.clone_from(&before.manager),
            "groups" => self.groups.clone_from(&before.groups),
            _ => {}
        }
    }
}

impl Listed for Client {
    fn id(&self) -> &RefId {
        &self.id
    }

    fn keep(&mut self, field: &str, before: &Self) {
        match field {
            "name" => self.name.clone_from(&before.name),
            "accountManager" => self.account_manager.clone_from(&before.account_manager),
            _ => {}
        }
    }
}

impl Listed for Site {
    fn id(&self) -> &RefId {
        &self.id
    }

    fn keep(&mut self, field: &str, before: &Self) {
        match field {
            "name" => self.name.clone_from(&before.name),
            "client" => self.client.clone_from(&before.client),
            "timezoneCode" => self.timezone.clone_from(&before.timezone),
            "working24x7" => self.always_open = before.always_open,
            "businessHour" => self.hours.clone_from(&before.hours),
            "holidayList" => self.holiday_list.clone_from(&before.holiday_list),
            _ => {}
        }
    }
}

/// Reads a bare list of things with an id and a name. SuperOps answers null for an empty one.
pub(super) fn named_list(data: &Value) -> Vec<Named> {
    records(data).filter_map(|record| named(record).ok().flatten()).collect()
}

/// Reads a bare list of things of which only the names matter.
pub(super) fn names(data: &Value) -> Vec<String> {
    records(data).filter_map(|record| text(record.get("name")?)).collect()
}

/// Reads the statuses from `getAllFields("TICKET")`.
pub(super) fn statuses_of_fields(data: &Value) -> Vec<String> {
    let field = records(data).find(|field| field.get("columnName").and_then(Value::as_str) == Some("status"));
    let options = field.and_then(|field| field.get("options"));
    options.into_iter().flat_map(records).filter_map(|option| text(option.get("value")?)).collect()
}

/// Reads who wrote on a ticket, in the order SuperOps gives. Entries without a readable time prove nothing and are left
/// out.
pub(super) fn conversations(data: &Value) -> Vec<Conversation> {
    records(data).filter_map(conversation).collect()
}

fn conversation(record: &Value) -> Option<Conversation> {
    let at = instant(&text(record.get("time")?)?)?;
    let author = record.get("user").and_then(|user| named(user).ok().flatten()).map(|user| user.id);
    Some(Conversation { kind: conversation_kind(record.get("type")), at, author })
}

fn conversation_kind(value: Option<&Value>) -> ConversationKind {
    match value.and_then(Value::as_str).unwrap_or_default() {
        "DESCRIPTION" => ConversationKind::Description,
        "REQ_REPLY" => ConversationKind::RequesterReply,
        "REQ_NOTIFICATION" => ConversationKind::RequesterNotice,
        "TECH_REPLY" => ConversationKind::TechnicianReply,
        "TECH_NOTIFICATION" => ConversationKind::TechnicianNotice,
        other => ConversationKind::Other(other.to_owned()),
    }
}

/// Reads the notes of a ticket.
pub(super) fn notes(data: &Value) -> Vec<Note> {
    records(data).filter_map(note).collect()
}

fn note(record: &Value) -> Option<Note> {
    Some(Note {
        id: RefId::parse(&id_text(record.get("noteId")?)?).ok()?,
        added_at: record.get("addedOn").and_then(text).and_then(|raw| instant(&raw)),
        content: record.get("content").and_then(text).unwrap_or_default(),
    })
}

/// Returns the items of a list; none for anything else.
pub(super) fn records(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().map_or(&[][..], Vec::as_slice).iter()
}

/// Reads `hasMore`: true on inner pages, null on the last one. If the list info is missing, perhaps because it failed
/// to come, only a page that is not full is taken for the last.
fn has_more(data: &Value, key: &str) -> bool {
    let is_full = || data.get(key).and_then(Value::as_array).is_some_and(|rows| rows.len() >= PAGE_SIZE as usize);
    let said = data.pointer("/listInfo/hasMore").and_then(flag);
    said.unwrap_or_else(|| total(data).is_none() && is_full())
}

/// Reads `totalCount`: an Int in the schema, a string in an official example.
fn total(data: &Value) -> Option<u64> {
    let total = data.pointer("/listInfo/totalCount")?;
    total.as_u64().or_else(|| total.as_str()?.trim().parse().ok())
}

/// Returns the rows of a list; none for a null, by which SuperOps may mean an empty list. `None` if it is not a list, an
/// error may stand in place of its rows, or there is a null where there should be some.
fn rows<'a>(data: &'a Value, gaps: &Gaps, key: &str) -> Option<&'a [Value]> {
    let list = data.get(key)?;
    if list.is_null() {
        let is_empty = gaps.is_none() && total(data).unwrap_or(0) == 0 && !has_more(data, key);
        return is_empty.then_some(&[][..]);
    }
    list.as_array().map(Vec::as_slice).filter(|rows| !rows.is_empty() || !gaps.hides(key))
}

fn page<T>(
    data: &Value,
    gaps: &Gaps,
    key: &str,
    convert: impl Fn(&mut Reader) -> Result<T, Reject>,
) -> Option<Page<T>> {
    let mut page = Page { items: Vec::new(), rejects: Vec::new(), has_more: has_more(data, key), total: total(data) };
    let rows = if data.is_null() { &[][..] } else { rows(data, gaps, key)? };
    for (index, record) in rows.iter().enumerate() {
        let read = Reader::new(record).and_then(|mut read| convert(&mut read).map(|item| (item, read)));
        match read {
            Ok((item, mut read)) => {
                let gaps = gaps.of_row(Some((key, index)));
                let is_lost = |field: &str, value: &Value| value.is_null() && gaps.failed(field);
                let is_torn = |field: &str, value: &Value| value.is_array() && gaps.names(field);
                let failed = read.fields.iter().filter(|(field, value)| is_lost(field, value) || is_torn(field, value));
                let failed: Vec<_> = failed.map(|(field, _)| field).collect();
                failed.into_iter().for_each(|field| read.flaw(field, FAILED));
                page.items.push(item);
                page.rejects.extend(read.flaws.into_iter().map(|flaw| Reject {
                    id: read.id.clone(),
                    field: flaw.field,
                    why: flaw.why,
                }));
            }
            Err(reject) => page.rejects.push(reject),
        }
    }
    Some(page)
}

/// Reads the fields of one record, and collects those that make no sense.
struct Reader<'a> {
    fields: &'a Fields,
    id: Option<String>,
    flaws: Vec<Flaw>,
}

impl<'a> Reader<'a> {
    fn new(record: &'a Value) -> Result<Self, Reject> {
        let fields = record.as_object().ok_or_else(|| Reject::new(None, "record", format!("is {}", kind(record))))?;
        Ok(Self { fields, id: None, flaws: Vec::new() })
    }

    /// Reads the record's own id, without which the record is useless.
    fn own_id(&mut self, key: &str) -> Result<String, Reject> {
        let value = self.value(key).ok_or_else(|| Reject::new(None, key, "is missing"))?;
        let id = id_text(value).ok_or_else(|| Reject::new(None, key, format!("is {}", kind(value))))?;
        self.id = Some(id.clone());
        Ok(id)
    }

    fn ref_id(&mut self, key: &str) -> Result<RefId, Reject> {
        let id = self.own_id(key)?;
        RefId::parse(&id).map_err(|blank| Reject::new(None, key, blank.to_string()))
    }

    /// Returns a field that is present and not null.
    fn value(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn flaw(&mut self, key: &str, why: impl Into<String>) {
        self.flaws.push(Flaw { field: key.to_owned(), why: why.into() });
    }

    /// Reads `key` with `read`; a value that is there but cannot be read is a flaw.
    fn read<T>(&mut self, key: &str, wanted: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.value(key).filter(|value| !is_blank(value))?;
        let result = read(value);
        if result.is_none() {
            self.flaw(key, format!("is {}, not {wanted}", kind(value)));
        }
        result
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.read(key, "a text", text)
    }

    /// Reads a text that the schema promises; its absence is a flaw.
    fn required(&mut self, key: &str) -> Option<String> {
        let before = self.flaws.len();
        let text = self.text(key);
        if text.is_none() && self.flaws.len() == before {
            self.flaw(key, "is missing");
        }
        text
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        self.read(key, "true or false", flag)
    }

    fn time(&mut self, key: &str) -> Option<DateTime<Utc>> {
        self.read(key, "a possible time", |value| instant(value.as_str()?))
    }

    fn reported(&mut self, due: &str, met_at: &str, breached: &str) -> Reported {
        Reported { due: self.time(due), met_at: self.time(met_at), breached: self.flag(breached) }
    }

    fn named(&mut self, key: &str) -> Option<Named> {
        let result = named(self.value(key)?);
        result.unwrap_or_else(|why| {
            self.flaw(key, why);
            None
        })
    }

    /// Reads a list of associations; official examples show a single object instead.
    fn many(&mut self, key: &str) -> Vec<Named> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let value = leaf(value);
        let list = value.as_array().map_or(std::slice::from_ref(value.as_ref()), Vec::as_slice);
        let mut found = Vec::new();
        for item in list {
            match named(item) {
                Ok(item) => found.extend(item),
                Err(why) => self.flaw(key, why),
            }
        }
        found
    }

    fn hours(&mut self, key: &str) -> Vec<SiteHours> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let rows: Vec<_> = records(value).filter(|row| !is_closed_day(row)).map(site_hours).collect();
        if rows.iter().any(Option::is_none) || !value.is_array() {
            self.flaw(key, "has a row without a weekday, a start and an end");
        }
        rows.into_iter().flatten().collect()
    }
}

fn weekday(row: &Value) -> Option<Weekday> {
    row.get("day")?.as_str()?.trim().parse().ok()
}

/// Whether a row of hours names a day and says that nobody works on it: its start and its end are blank.
fn is_closed_day(row: &Value) -> bool {
    let is_blank_at = |key| row.get(key).is_some_and(is_blank);
    weekday(row).is_some() && is_blank_at("start") && is_blank_at("end")
}

fn site_hours(row: &Value) -> Option<SiteHours> {
    let day = weekday(row)?;
    Some(SiteHours { day, start: text(row.get("start")?)?, end: text(row.get("end")?)? })
}

/// Reads an association: blank, also in each of its fields, or an id and a name. The error says why it is neither.
fn named(value: &Value) -> Result<Option<Named>, &'static str> {
    let value = leaf(value);
    if is_blank(&value) {
        return Ok(None);
    }
    let fields = value.as_object().ok_or("is not an object")?;
    if fields.iter().all(|(_, value)| is_blank(value)) {
        return Ok(None);
    }
    let id = ID_KEYS.iter().find_map(|key| id_text(fields.get(key)?)).ok_or("has no readable id")?;
    let id = RefId::parse(&id).map_err(|_| "has a blank id")?;
    let name = fields.get("name").and_then(text).unwrap_or_else(|| id.to_string());
    Ok(Some(Named { id, name }))
}

/// Unwraps a scalar of type JSON, which may arrive as a string that holds JSON.
fn leaf(value: &Value) -> Cow<'_, Value> {
    let held = value.as_str().and_then(|text| Value::parse(text).ok());
    held.map_or(Cow::Borrowed(value), Cow::Owned)
}

/// Reads an id as text, quoted or not. It never passes through a float, which would corrupt 19 digits.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => {
            number.as_u64().map(|id| id.to_string()).or_else(|| number.as_i64().map(|id| id.to_string()))
        }
        _ => None,
    }
}

/// Returns a text that is not blank.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.trim().to_lowercase().parse().ok())
}

/// Whether a value is null, or an empty text, object or list: all of them mean that there is nothing.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Names the kind of a value, without revealing the value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads a time of SuperOps: UTC unless it says otherwise, with or without seconds and fractions.
///
/// A year that no service desk has seen is a blank in disguise (`0001-01-01`).
fn instant(raw: &str) -> Option<DateTime<Utc>> {
    let raw = raw.trim().replacen(' ', "T", 1);
    let at = naive(raw.trim_end_matches(['Z', 'z'])).map(|at| at.and_utc()).or_else(|| with_offset(&raw))?;
    // A leap second, 23:59:60, is something that few others can read: use the first instant after it.
    let at = if at.nanosecond() < 1_000_000_000 { at } else { DateTime::from_timestamp(at.timestamp() + 1, 0)? };
    (1990..=2200).contains(&at.year()).then_some(at)
}

fn naive(raw: &str) -> Option<NaiveDateTime> {
    // Nearly every time has the first form, and a page holds hundreds: a parser without a format string is faster.
    raw.parse().or_else(|_| NaiveDateTime::parse_from_str(raw, "%Y-%m-%dT%H:%M")).ok()
}

fn with_offset(raw: &str) -> Option<DateTime<Utc>> {
    const FORMS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    FORMS.iter().find_map(|form| DateTime::parse_from_str(raw, form).ok()).map(|at| at.to_utc())
}
