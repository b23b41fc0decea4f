//! A sample ticket for all tests, and tests of what status names mean.

use super::*;

/// Returns a ticket of which only the id is known.
pub fn sample(id: &str) -> Ticket {
    Ticket {
        id: TicketId::parse(id).unwrap(),
        display_id: id.to_owned(),
        subject: String::new(),
        request_type: None,
        status: None,
        priority: None,
        category: None,
        client: None,
        site: None,
        group: None,
        technician: None,
        sla: None,
        created_at: None,
        updated_at: None,
        first_response: Reported::default(),
        resolution: Reported::default(),
        flaws: Vec::new(),
        unknown: Vec::new(),
    }
}

/// Returns something whose name is its id.
pub fn named(name: &str) -> Named {
    Named { id: RefId::parse(name).unwrap(), name: name.to_owned() }
}

#[test]
fn common_status_names_are_understood_without_configuration() {
    let words = StatusWords::default();
    let cases = [
        ("New Calls", StatusMeaning::Open),
        ("In Progress", StatusMeaning::Open),
        ("Customer Replied", StatusMeaning::Open),
        ("Reopened", StatusMeaning::Open),
        ("Closed (no response)", StatusMeaning::Closed),
        ("Resolved", StatusMeaning::Closed),
        ("Awaiting Customer Reply", StatusMeaning::Paused),
        ("Waiting on Order", StatusMeaning::Paused),
        (" ON HOLD ", StatusMeaning::Paused),
    ];
    for (status, meaning) in cases {
        assert_eq!(words.meaning(Some(status)), meaning, "{status}");
    }
    assert_eq!(words.meaning(None), StatusMeaning::Open, "no status at all");
}

#[test]
fn configured_lists_end_the_guessing() {
    let words = StatusWords::configured(&["Done".into()], &["Parked".into()]);
    assert_eq!(words.meaning(Some("done")), StatusMeaning::Closed);
    assert_eq!(words.meaning(Some("On Hold")), StatusMeaning::Open);
}

#[test]
fn a_list_that_is_not_configured_is_still_guessed() {
    let words = StatusWords::new(Some(&["Done".into(), "Pending sign-off".into()]), None);
    assert_eq!(words.meaning(Some("Done")), StatusMeaning::Closed);
    assert_eq!(words.meaning(Some("Resolved")), StatusMeaning::Open, "the list of closed names is the user's");
    assert_eq!(words.meaning(Some("On Hold")), StatusMeaning::Paused);
    assert_eq!(words.meaning(Some("Pending sign-off")), StatusMeaning::Closed, "a listed name beats a guess");
}

#[test]
fn a_name_that_begins_with_merged_or_deleted_is_closed_whatever_is_listed() {
    let listed = StatusWords::configured(&["Done".into()], &["Deleted by mistake".into()]);
    for words in [StatusWords::default(), listed.clone()] {
        for status in ["Merged", " merged into another", "DELETED"] {
            assert_eq!(words.meaning(Some(status)), StatusMeaning::Closed, "{status}");
        }
        assert_eq!(words.meaning(Some("To be merged")), StatusMeaning::Open);
    }
    assert_eq!(listed.meaning(Some("Deleted by mistake")), StatusMeaning::Paused, "listed");
}

#[test]
fn a_blank_id_is_refused() {
    assert_eq!(TicketId::parse("  "), Err(Blank));
    assert_eq!(TicketId::parse(" 7 ").unwrap().as_str(), "7");
}

#[test]
fn a_status_may_pause_the_responses_as_well() {
    let words = StatusWords::default().pausing_response(&["Bank Holiday ".into(), "Scheduled".into()]);
    let of = |status: &str| ClockKind::ALL.map(|clock| words.meaning(Some(status)).pauses(clock));
    assert_eq!(of("bank holiday"), [true, true, true], "listed there alone");
    assert_eq!(of("Scheduled"), [true, true, true], "otherwise guessed as paused");
    assert_eq!(of("On Hold"), [false, true, false]);
    assert_eq!(of("Open"), [false; 3]);
}
