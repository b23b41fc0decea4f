//! Carries out the mutations that the look-alike supports: a note, and changes to a ticket.

use std::borrow::Cow;
use std::sync::Mutex;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{JsonMap, JsonValue};
use chrono::{DateTime, Utc};

use super::resolve::{Answer, JsonRow, TicketRow, Verdict, find, id_text, internal, note_row};
use super::ticket::{Ref, Text};
use super::world::World;

/// The root of all commands. Each locks the world, does its work and answers with a copy.
pub struct Commands<'a> {
    pub world: &'a Mutex<World>,
    pub now: DateTime<Utc>,
    pub verdict: Verdict,
}

impl ObjectValue for Commands<'_> {
    fn type_name(&self) -> &str {
        "Mutation"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Answer<'a> {
        let input = info.arguments().get("input").and_then(JsonValue::as_object);
        let mut world = self.world.lock().map_err(|_| internal("poisoned"))?;
        match info.field_name() {
            "createTicketNote" => self.create_note(&mut world, input),
            "updateTicket" => self.update(&mut world, input),
            other => Err(internal(&format!("the look-alike does not do `{other}`"))),
        }
    }
}

impl Commands<'_> {
    fn create_note<'a>(&self, world: &mut World, input: Option<&JsonMap>) -> Answer<'a> {
        let ticket = input.and_then(|input| input.get("ticket")).and_then(JsonValue::as_object);
        let index = find(world, ticket).ok_or_else(|| self.verdict.refuse("entity_does_not_exist", "ticketId"))?;
        let text = |name: &str| input.and_then(|input| input.get(name)).and_then(JsonValue::as_str);
        let content = text("content").unwrap_or_default().to_owned();
        if content.is_empty() {
            return Err(self.verdict.refuse("mandatory_validation_failed", "content"));
        }
        let note = world.note(index, content, text("privacyType").unwrap_or("PRIVATE").into(), self.now);
        Ok(ResolvedValue::object(JsonRow { type_name: "Note", fields: Cow::Owned(note_row(&note)) }))
    }

    fn update<'a>(&self, world: &mut World, input: Option<&JsonMap>) -> Answer<'a> {
        let index = find(world, input).ok_or_else(|| self.verdict.refuse("entity_does_not_exist", "ticketId"))?;
        let change = self.read_change(world, input)?;
        if let Some(status) = &change.status {
            world.change_status(index, status, self.now);
        }
        let rule = world.habits().due_on_pause;
        let ticket = world.ticket_mut(index);
        ticket.priority = change.priority.or_else(|| ticket.priority.take());
        ticket.technician = change.technician.or_else(|| ticket.technician.take());
        ticket.updated_at = self.now;
        Ok(ResolvedValue::object(TicketRow { ticket: Cow::Owned(ticket.clone()), now: self.now, rule }))
    }

    /// Checks everything before anything is done.
    fn read_change(&self, world: &World, input: Option<&JsonMap>) -> Result<Change, FieldError> {
        let field = |name: &str| input.and_then(|input| input.get(name)).filter(|value| !value.is_null());
        let word = |name: &'static str, words: &[Text]| {
            let wanted = field(name).and_then(JsonValue::as_str);
            let known = wanted.map(|wanted| words.iter().find(|word| ***word == *wanted).cloned());
            known
                .map(|known| known.ok_or_else(|| self.verdict.refuse("referred_value_does_not_exist", name)))
                .transpose()
        };
        let person = field("technician").and_then(|person| person.get("userId")).map(id_text);
        let person = person.map(|id| {
            let known = world.msp.people.iter().find(|person| person.who.id.to_string() == id);
            known
                .map(|known| known.who.clone())
                .ok_or_else(|| self.verdict.refuse("referred_value_does_not_exist", "technician"))
        });
        Ok(Change {
            status: word("status", &world.msp.statuses)?,
            priority: word("priority", &world.msp.priorities)?,
            technician: person.transpose()?,
        })
    }
}

/// What an `updateTicket` asks for, as far as the look-alike supports it.
struct Change {
    status: Option<Text>,
    priority: Option<Text>,
    technician: Option<Ref>,
}
