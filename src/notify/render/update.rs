//! What a subscriber of a status page reads: what the page shows, and nothing else.

use chrono::{DateTime, Utc};

use super::letter::{Letter, Link, web_address};
use super::{Urgency, line, local_in_full};
use crate::notify::{Message, News, UpdateFacts};

pub(super) fn letter(facts: &UpdateFacts, message: &Message) -> Letter {
    let page = line(&facts.page, 80);
    let mut letter = match &facts.news {
        News::Confirm => return question(&page),
        News::Incident { title, status, text, components, at } => {
            let urgency = if status == "resolved" { Urgency::Met } else { Urgency::AtRisk };
            let headline = format!("{}: {}", sentence_case(status), line(title, 120));
            let mut letter = Letter::new(format!("{page}: {}", line(title, 120)), headline, urgency);
            letter.about = Some(line(text, 2000));
            letter.facts = vec![("Services", names(components)), ("At", local(*at, message))];
            letter
        }
        News::Work { title, text, components, from, until, cancelled } => {
            let headline = if *cancelled { "Called off" } else { "Maintenance" };
            let headline = format!("{headline}: {}", line(title, 120));
            let mut letter = Letter::new(format!("{page}: {}", line(title, 120)), headline, Urgency::Plain);
            letter.about = Some(line(text, 2000)).filter(|text| !text.is_empty());
            let (from, until) = (local(*from, message), local(*until, message));
            letter.facts = vec![("Services", names(components)), ("From", from), ("Until", until)];
            letter
        }
    };
    let url = facts.page_url.as_deref().and_then(web_address);
    letter.links.extend(url.map(|url| Link { label: "The status page".to_owned(), url }));
    letter.closing = vec![format!("You get this because you have subscribed to {page}.")];
    letter
}

fn question(page: &str) -> Letter {
    let subject = format!("{page}: do you want to be told by mail?");
    let mut letter =
        Letter::new(subject, format!("Somebody asked to have news of {page} sent to this address"), Urgency::Plain);
    letter.closing = vec![
        "If that was you, confirm it within two days.".to_owned(),
        "If not, do nothing: nothing more is sent, and the address is forgotten.".to_owned(),
    ];
    letter
}

fn names(components: &[String]) -> String {
    line(&components.join(", "), 200)
}

fn local(at: DateTime<Utc>, message: &Message) -> String {
    local_in_full(at, message.timezone)
}

fn sentence_case(word: &str) -> String {
    let word = line(word, 20);
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Body;
    use crate::notify::render::email_with;
    use crate::sla::zone::Tz;

    fn mail(news: News, link: &str) -> String {
        let (page, page_url) = ("Acme status".to_owned(), Some("https://sla.example.com/status".to_owned()));
        let facts = UpdateFacts { page, page_url, subscriber: "0".repeat(32), news };
        let (key, to) = ("0".repeat(32), "mia@example.com".to_owned());
        let thread = "update".to_owned();
        let body = Body::Update(facts);
        let message = Message { key, thread, continues_thread: false, to, to_name: None, timezone: Tz::UTC, body };
        let mail = email_with(&message, Some(link), DateTime::UNIX_EPOCH);
        assert!(mail.html.contains(link), "{}", mail.html);
        format!("{}\n\n{}", mail.subject, mail.text)
    }

    #[test]
    fn an_update_is_told_with_its_services_and_the_way_out() {
        let news = News::Incident {
            title: "Web shop is down".to_owned(),
            status: "identified".to_owned(),
            text: "A disk is full.\nWe are on it.".to_owned(),
            components: vec!["Web shop".to_owned()],
            at: DateTime::UNIX_EPOCH,
        };
        insta::assert_snapshot!(mail(news, "https://sla.example.com/status/updates/stop/x"));
    }

    #[test]
    fn who_has_asked_is_asked_back() {
        insta::assert_snapshot!(mail(News::Confirm, "https://sla.example.com/status/updates/confirm/x"));
    }
}
