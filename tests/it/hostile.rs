//! Ticket text is written by strangers: whatever it holds, one valid message comes of it.

use superops_sla::simulator::NewTicket;
use superops_sla::simulator::receivers::CaughtKind;

use crate::support::{TestApp, minutes, usual};

fn subjects() -> [(&'static str, String); 6] {
    [
        ("header injection", "Printer\r\nBcc: everybody@example.com\r\n\r\nHello".to_owned()),
        ("a script", "<script>alert(1)</script><img src=x onerror=alert(2)>".to_owned()),
        ("emoji", "🔥🔥 the 🖨️ is on fire 👩🏽‍🚒".to_owned()),
        ("right to left", "\u{202e}הדפסת\u{202c} الطابعة لا تعمل".to_owned()),
        ("ten kilobytes", "x".repeat(10_000)),
        ("nothing", String::new()),
    ]
}

#[tokio::test]
async fn hostile_words_make_one_valid_mail_and_one_short_text() {
    for (name, subject) in subjects() {
        let mut app = TestApp::start().await;
        app.superops.add(NewTicket { subject, resolution_due_in: Some(minutes(60)), ..usual() });
        app.turn().await;
        app.wait(minutes(61)).await;
        let heard = app.heard();
        assert_eq!(heard.len(), 2, "{name}: a mail and a text");
        for message in heard {
            match message.kind {
                CaughtKind::Email => check_mail(name, &message),
                CaughtKind::Sms => assert!(message.text.chars().count() <= 160, "{name}: {}", message.text),
                other => panic!("nobody asked for {}", other.as_str()),
            }
        }
    }
}

fn check_mail(name: &str, mail: &superops_sla::simulator::receivers::Caught) {
    assert_eq!(mail.to, "mateo.alvarez@example.com", "{name}");
    assert!(mail.header("bcc").is_none(), "{name}");
    assert!(mail.subject.chars().count() < 250 && !mail.subject.contains('\n'), "{name}: {}", mail.subject);
    assert!(mail.text.starts_with("Breached: 1 min over, resolution was due"), "{name}: {}", mail.text);
    let html = mail.html.as_deref().unwrap();
    assert!(!html.contains("<script") && !html.contains("<img"), "{name}");
    assert!(html.len() < 40_000 && mail.text.len() < 20_000, "{name}");
}
