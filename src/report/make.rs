//! Makes a report from entries: the figures of a period as sections, tables and charts.

mod breaches;
mod by;
mod credits;
mod groups;
mod overview;

use std::collections::{BTreeMap, BTreeSet};

use self::breaches::{MOST_BREACHES, breached, breaches, left_out};
pub use self::by::By;
use self::groups::groups;
use self::overview::{course, overview};
use super::credit::MonthlyTerms;
use super::day::Day;
use super::entry::{Entry, Holder};
use super::figures::{Question, Summary, compliance, summary};
use super::rate::Goal;
use super::{ClosedMonth, Opens, People, Period, Report, SCHEMA, Section};
use crate::sla::zone::Tz;

/// The most lines of one table, and how many of them a reader is shown.
const MOST_GROUPS: usize = 5_000;
const GROUPS_SHOWN: usize = 400;

/// What people, clients and tickets are called: their names, or pseudonyms.
pub trait Names {
    fn person(&self, holder: &Holder) -> String;
    fn client(&self, id: &str) -> String;
    fn ticket(&self, id: &str) -> String;
    /// The words of a policy may name clients.
    fn policy(&self, words: &str) -> String;
}

/// What a report is made from.
pub struct Material<'a> {
    pub tenant: String,
    pub zone: Tz,
    pub question: Question,
    pub by: By,
    /// The only client to report on, by id.
    pub client: Option<String>,
    pub goal: Goal,
    /// The goals of policies that have their own, by the policies' names in the books.
    pub policy_goals: &'a BTreeMap<String, Goal>,
    /// The credit terms of policies that have any, by the policies' names in the books.
    pub policy_credits: &'a MonthlyTerms,
    /// The entries of the period and of the one before it, and the other clocks of their tickets.
    pub entries: &'a [Entry],
    /// Each day of the period.
    pub days: &'a [Day],
    /// Whether to count what is known now, rather than what was known when the months were closed.
    pub latest: bool,
    pub months: Vec<ClosedMonth>,
    pub provisional_until: Option<chrono::DateTime<chrono::Utc>>,
    pub anonymous: bool,
    pub people: People,
    pub names: &'a dyn Names,
}

/// Returns the tickets of the breaches that a report on `entries` lists one by one.
pub fn listed<'a>(entries: &'a [Entry], question: &Question, client: Option<&str>) -> Vec<&'a str> {
    let meant = entries.iter().filter(|entry| is_of(entry, client));
    breached(meant, question).into_iter().take(MOST_BREACHES).map(|entry| &*entry.ticket).collect()
}

/// Makes the report; its hash is left blank.
pub fn report(material: &Material<'_>) -> Report {
    let all: Vec<&Entry> = material.entries.iter().filter(|entry| material.is_meant(entry)).collect();
    let sum = summary(all.iter().copied(), &material.question);
    let before = Question { period: material.question.period.before(), ..material.question };
    let earlier = compliance(all.iter().copied(), &before);
    let client = material.client.as_deref().map(|id| material.names.client(id));
    let whom = client.as_deref().unwrap_or(&material.tenant);
    let terms: BTreeSet<u32> =
        all.iter().filter(|entry| material.question.decided(entry)).map(|entry| entry.version).collect();
    let sections = [
        Some(overview(material, &sum, earlier)),
        Some(course(material)),
        (material.by != By::Day).then(|| groups(material, &all, &sum)),
        credits::section(material, &all),
        Some(breaches(material, &all, &sum)),
        Some(left_out(&sum, material)),
    ];
    Report {
        schema: SCHEMA,
        title: format!("Service levels of {whom}"),
        tenant: material.tenant.clone(),
        zone: material.zone,
        period: material.question.period,
        client,
        months: material.months.clone(),
        provisional_until: material.provisional_until,
        as_known_now: material.latest,
        terms: terms.into_iter().collect(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        anonymous: material.anonymous,
        sections: sections.into_iter().flatten().map(|section| withheld(section, material)).collect(),
        notes: notes(&sum, material),
        hash: String::new(),
    }
}

/// Removes links to entries that would tell whom a pseudonym stands for.
fn withheld(mut section: Section, material: &Material<'_>) -> Section {
    let figures = section.figures.iter_mut().map(|figure| &mut figure.opens);
    let rows = section.tables.iter_mut().flat_map(|table| &mut table.rows).map(|row| &mut row.opens);
    for opens in figures.chain(rows) {
        if opens.as_ref().is_some_and(|opens| !material.may_open(opens)) {
            *opens = None;
        }
    }
    section
}

impl Material<'_> {
    fn may_open(&self, opens: &Opens) -> bool {
        let of_a_person = opens.person.as_deref().is_some_and(|id| !id.starts_with('@'));
        let of_a_client = opens.client.is_some() || opens.policy.is_some();
        !(of_a_person && (self.anonymous || self.people != People::Named) || of_a_client && self.anonymous)
    }

    fn is_meant(&self, entry: &Entry) -> bool {
        is_of(entry, self.client.as_deref())
    }

    /// The goal of the policy that the books call `words`.
    fn goal_of(&self, words: Option<&str>) -> Goal {
        words.and_then(|words| self.policy_goals.get(words)).copied().unwrap_or(self.goal)
    }

    fn opens(&self) -> Opens {
        let Period { from, to } = self.question.period;
        Opens { from: Some(from), to: Some(to), client: self.client.clone(), ..Opens::default() }
    }
}

/// Whether the entry belongs to the only client that is asked about, if there is one.
fn is_of(entry: &Entry, client: Option<&str>) -> bool {
    client.is_none_or(|client| entry.client.as_deref() == Some(client))
}

fn notes(sum: &Summary, material: &Material<'_>) -> Vec<String> {
    let mut notes = vec![
        "A clock counts on the day on which it was decided: kept when it stopped in time, breached at the first moment \
         at which it was over."
            .to_owned(),
    ];
    if sum.differing > 0 {
        notes.push(format!(
            "Clocks on which SuperOps and the policy disagree: {}. SuperOps' verdict counts.",
            sum.differing
        ));
    }
    if sum.unobserved > 0 {
        notes.push(format!(
            "Clocks not watched from their beginning, whose earlier pauses and holders are unknown: {}.",
            sum.unobserved
        ));
    }
    let corrections: u64 = material.months.iter().map(|month| month.corrections).sum();
    if corrections > 0 {
        let figures = match material.latest {
            true => "these figures are what is known now, not what was known when it was closed",
            false => "its figures stay as they were",
        };
        notes.push(format!("Decisions that changed after their month was closed: {corrections}; {figures}."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entries;
    use super::super::entry::{Outcome, Reason};
    use super::super::{Cell, Row};
    use super::*;
    use crate::report::credit::CreditTerms;
    use crate::uptime::credit::Tier;

    struct Plain;

    static NOTHING_BACK: MonthlyTerms = BTreeMap::new();

    impl Names for Plain {
        fn person(&self, holder: &Holder) -> String {
            format!("<{holder}>")
        }

        fn client(&self, id: &str) -> String {
            id.to_owned()
        }

        fn ticket(&self, id: &str) -> String {
            id.to_owned()
        }

        fn policy(&self, words: &str) -> String {
            words.to_owned()
        }
    }

    /// The worked example, by technician.
    fn material<'a>(entries: &'a [Entry], policy_goals: &'a BTreeMap<String, Goal>) -> Material<'a> {
        let period = Period::new("2026-10-29".parse().unwrap(), "2026-11-02".parse().unwrap()).unwrap();
        Material {
            tenant: "acme".to_owned(),
            zone: Tz::named("America/New_York"),
            question: Question { period, with_maintenance: false },
            by: By::Technician,
            client: None,
            goal: Goal::default(),
            policy_goals,
            policy_credits: &NOTHING_BACK,
            entries,
            days: &[],
            latest: false,
            months: Vec::new(),
            provisional_until: None,
            anonymous: false,
            people: People::Named,
            names: &Plain,
        }
    }

    /// The report on the worked example by technician, as JSON.
    fn told(people: People, anonymous: bool, entries: &[Entry]) -> String {
        let made = report(&Material { anonymous, people, ..material(entries, &BTreeMap::new()) });
        serde_json::to_string(&made).unwrap()
    }

    /// The table by policy: what each is called, its goal, and whether it is reached.
    fn goals_told(entries: &[Entry], policy_goals: &BTreeMap<String, Goal>) -> Vec<Vec<Cell>> {
        let made = report(&Material { by: By::Policy, ..material(entries, policy_goals) });
        let table = made.sections.into_iter().flat_map(|section| section.tables).find(|table| table.key == "policy");
        let rows = table.unwrap().rows.into_iter();
        rows.map(|row| {
            row.cells.into_iter().enumerate().filter(|(at, _)| [0, 9, 10].contains(at)).map(|(_, cell)| cell).collect()
        })
        .collect()
    }

    #[test]
    fn a_policy_is_held_to_its_own_goal_and_the_others_to_that_of_all() {
        let mut entries = entries();
        entries.iter_mut().for_each(|entry| entry.policy = Some("priority High".into()));
        assert_eq!(goals_told(&entries, &BTreeMap::new()), [[Cell::text("priority High")]], "nobody has one");
        let easy = BTreeMap::from([("priority High".to_owned(), Goal::percent(0.5).unwrap())]);
        let told = goals_told(&entries, &easy);
        assert_eq!(told, [[Cell::text("priority High"), Cell::Number(0.5), Cell::text("yes")]]);
        let other = BTreeMap::from([("priority Low".to_owned(), Goal::percent(0.5).unwrap())]);
        let told = goals_told(&entries, &other);
        assert_eq!(told, [[Cell::text("priority High"), Cell::Number(95.0), Cell::text("no")]]);
    }

    #[test]
    fn a_week_or_month_that_is_in_the_period_in_part_opens_the_days_that_it_counts() {
        let entries = entries();
        let goals = BTreeMap::new();
        for (by, expected) in [
            (By::Month, [("2026-10-29", "2026-10-31"), ("2026-11-01", "2026-11-02")]),
            (By::Week, [("2026-10-29", "2026-11-01"), ("2026-11-02", "2026-11-02")]),
        ] {
            let made = report(&Material { by, ..material(&entries, &goals) });
            let section = made.sections.into_iter().find(|section| section.key == "groups").unwrap();
            let told = section.tables[0].rows.iter().map(|row| {
                let opens = row.opens.as_ref().unwrap();
                assert_eq!(row.cells[0], Cell::Date(opens.from.unwrap()));
                (opens.from.unwrap().to_string(), opens.to.unwrap().to_string())
            });
            assert_eq!(told.collect::<Vec<_>>(), expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
        }
    }

    #[test]
    fn what_is_owed_stands_in_the_report_where_a_policy_gives_something_back() {
        let mut entries = entries();
        entries.iter_mut().for_each(|entry| entry.policy = Some("priority High".into()));
        let goals = BTreeMap::new();
        let period = Period::new("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
        let month = ClosedMonth { month: "2026-10".into(), sha256: String::new(), corrections: 0 };
        let tiers = [(95_000, 0), (0, 10)].map(|(floor, percent)| Tier { floor, percent }).to_vec();
        let told = |min| {
            let terms = [("priority High".to_owned(), CreditTerms { tiers: tiers.clone(), min })].into();
            let credits = MonthlyTerms::from([("2026-10".to_owned(), terms)]);
            let question = Question { period, with_maintenance: false };
            let months = vec![month.clone()];
            let made = report(&Material { question, months, policy_credits: &credits, ..material(&entries, &goals) });
            let section = made.sections.into_iter().find(|section| section.key == "credits").unwrap();
            section.tables[0].rows[0].cells[3..].to_vec()
        };
        let counted = [Cell::Count(14), Cell::Count(11), Cell::Percent(786)];
        assert_eq!(told(14)[..3], counted);
        assert_eq!(told(14)[3..], [Cell::Number(10.0), Cell::text("below all other tiers")]);
        assert_eq!(told(15)[3..], [Cell::Blank, Cell::text("too few")]);
        assert!(report(&material(&entries, &goals)).sections.iter().all(|section| section.key != "credits"));
    }

    #[test]
    fn what_is_owed_for_the_tickets_of_no_client_says_so_and_opens_no_list_of_everybodys() {
        let mut entries = entries();
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.policy = Some("all".into());
            entry.client = [None, Some("100")][at % 2].map(Into::into);
        }
        let goals = BTreeMap::new();
        let terms = [("all".to_owned(), CreditTerms { tiers: vec![Tier { floor: 0, percent: 1 }], min: 1 })].into();
        let credits = MonthlyTerms::from([("2026-10".to_owned(), terms)]);
        let period = Period::new("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
        let question = Question { period, with_maintenance: false };
        let months = vec![ClosedMonth { month: "2026-10".into(), sha256: String::new(), corrections: 0 }];
        let made = report(&Material { question, months, policy_credits: &credits, ..material(&entries, &goals) });
        let section = made.sections.into_iter().find(|section| section.key == "credits").unwrap();
        let told = section.tables[0].rows.iter().map(|row| {
            let opens = row.opens.as_ref().map(|opens| opens.client.clone());
            (row.cells[1].clone(), opens)
        });
        let one = (Cell::text("100"), Some(Some("100".to_owned())));
        assert_eq!(told.collect::<Vec<_>>(), [(Cell::text("No client"), None), one]);
    }

    #[test]
    fn what_is_owed_stands_in_the_order_of_the_names_that_are_shown() {
        /// Names in another order than the ids.
        struct Backwards;
        impl Names for Backwards {
            fn person(&self, holder: &Holder) -> String {
                holder.to_string()
            }

            fn client(&self, id: &str) -> String {
                if id == "1" { "z".to_owned() } else { "a".to_owned() }
            }

            fn ticket(&self, id: &str) -> String {
                id.to_owned()
            }

            fn policy(&self, words: &str) -> String {
                words.to_owned()
            }
        }
        let mut entries = entries();
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.policy = Some("all".into());
            entry.client = Some(["1", "2"][at % 2].into());
        }
        let goals = BTreeMap::new();
        let terms = [("all".to_owned(), CreditTerms { tiers: vec![Tier { floor: 0, percent: 1 }], min: 1 })].into();
        let credits = MonthlyTerms::from([("2026-10".to_owned(), terms)]);
        let period = Period::new("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
        let question = Question { period, with_maintenance: false };
        let months = vec![ClosedMonth { month: "2026-10".into(), sha256: String::new(), corrections: 0 }];
        let plain = material(&entries, &goals);
        let made = report(&Material { question, months, policy_credits: &credits, names: &Backwards, ..plain });
        let section = made.sections.into_iter().find(|section| section.key == "credits").unwrap();
        let clients: Vec<_> = section.tables[0].rows.iter().map(|row| row.cells[1].clone()).collect();
        assert_eq!(clients, [Cell::text("a"), Cell::text("z")]);
    }

    #[test]
    fn clients_with_the_same_name_have_a_line_each_and_no_client_stands_last() {
        /// All clients are called alike.
        struct Alike;
        impl Names for Alike {
            fn person(&self, holder: &Holder) -> String {
                holder.to_string()
            }

            fn client(&self, _: &str) -> String {
                "Globex".to_owned()
            }

            fn ticket(&self, id: &str) -> String {
                id.to_owned()
            }

            fn policy(&self, words: &str) -> String {
                words.to_owned()
            }
        }
        let mut entries = entries();
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.client = [None, Some("100"), Some("200")][at % 3].map(Into::into);
        }
        let goals = BTreeMap::new();
        let made = report(&Material { by: By::Client, names: &Alike, ..material(&entries, &goals) });
        let section = made.sections.into_iter().find(|section| section.key == "groups").unwrap();
        let client = |row: &Row| row.opens.as_ref().and_then(|opens| opens.client.clone());
        let rows: Vec<_> = section.tables[0].rows.iter().map(|row| (row.cells[0].clone(), client(row))).collect();
        let id = |id: &str| Some(id.to_owned());
        let globex = || Cell::text("Globex");
        assert_eq!(rows, [(globex(), id("100")), (globex(), id("200")), (Cell::text("No client"), None)]);
    }

    #[test]
    fn technicians_are_told_apart_as_far_as_the_sender_wants() {
        let entries = entries();
        let person = entries.iter().find_map(|entry| entry.holder.person()).unwrap();
        let (cell, way) = (format!("\"<{person}>\""), format!("\"person\":\"{person}\""));
        let has = |people, anonymous| {
            let text = told(people, anonymous, &entries);
            (text.contains(&cell), text.contains(&way), text.contains("Held by"))
        };
        assert_eq!(has(People::Named, false), (true, true, true));
        assert_eq!(has(People::Named, true), (true, false, true), "no id of SuperOps behind a pseudonym");
        assert_eq!(has(People::Pseudonyms, false), (true, false, false), "no pseudonym beside a ticket");
        assert_eq!(has(People::Off, false), (false, false, false));
    }

    #[test]
    fn a_report_says_how_many_reasons_are_a_persons_word() {
        let mut entries = entries();
        assert!(!told(People::Named, false, &entries).contains("given by a person"));
        let breached =
            |entry: &&mut Entry| entry.outcome == Outcome::Breached && entry.is_headline() && !entry.maintenance;
        let breach = entries.iter_mut().find(breached).unwrap();
        breach.said = Some(super::super::entry::Said { reason: Reason::Understaffed, by: "Mia".into() });
        let text = told(People::Named, false, &entries);
        assert!(
            text.contains("1 of the reasons is given by a person") && text.contains("more was due than could be done"),
            "{text}"
        );
    }
}
