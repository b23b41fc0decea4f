//! What people write to a help desk: believable subjects by category, and some that mean harm.

/// A kind of work: its name, how long it takes against the average, and what people write.
pub struct Trade {
    pub category: &'static str,
    pub slowness: f64,
    pub subjects: &'static [&'static str],
}

/// The categories of the made-up account.
pub const TRADES: [Trade; 6] = [
    Trade {
        category: "Network",
        slowness: 1.0,
        subjects: &[
            "VPN drops every ten minutes",
            "Wi-Fi is slow in the meeting room",
            "Branch office cannot reach the file server",
        ],
    },
    Trade {
        category: "Email",
        slowness: 0.7,
        subjects: &["Outlook asks for the password again", "Shared mailbox is missing", "Mail to a supplier bounces"],
    },
    Trade {
        category: "Printing",
        slowness: 0.6,
        subjects: &["Printer shows error 49.4C02", "Labels print blank", "Scanner does not send to mail"],
    },
    Trade {
        category: "Backup",
        slowness: 1.8,
        subjects: &["Nightly backup failed twice", "Restore a folder from last Tuesday", "Backup disk is almost full"],
    },
    Trade {
        category: "Accounts",
        slowness: 0.8,
        subjects: &["Leaver: disable account on Friday", "New starter needs a laptop", "Locked out after the holiday"],
    },
    Trade {
        category: "Security",
        slowness: 1.5,
        subjects: &["Is this mail phishing?", "Antivirus found something on SRV-DC01", "MFA token lost"],
    },
];

/// Subjects that have broken something somewhere: header injection, scripts, emoji, right-to-left, other alphabets.
pub const HOSTILE: [&str; 6] = [
    "Printer\r\nBcc: everyone@example.com\r\n\r\nsurprise",
    "<script>alert('sla')</script> & <b>scanner</b>",
    "🔥🔥 Server room is hot 🖨️ naïve café",
    "\u{202e}txt.exe تعطل الطابعة في الطابق الثاني",
    "サーバーが応答しません",
    "'; DROP TABLE tickets; --",
];

/// Somebody pasted a log into the subject.
pub fn ten_kilobytes() -> String {
    "ERROR connection reset by peer; ".repeat(320)
}

/// People who write in.
pub const REQUESTERS: [&str; 5] = ["Priya Nair", "Tom Becker", "Anaïs Dubois", "Wei Zhang", "Olga Petrova"];
