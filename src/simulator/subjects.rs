//! What people write to a help desk: believable subjects by category, and some malicious ones.

/// A kind of work: its name, its share, how long it takes compared with the average, and what people write.
pub struct WorkKind {
    pub category: &'static str,
    /// How many of a hundred tickets.
    pub frequency: usize,
    pub slowness: f64,
    pub subjects: &'static [&'static str],
}

/// The categories of the made-up account. Two groups get a quarter of the tickets each and the first line half, in
/// proportion to their people.
pub const TRADES: [WorkKind; 6] = [
    WorkKind {
        category: "Network",
        frequency: 25,
        slowness: 1.0,
        subjects: &[
            "VPN drops every ten minutes",
            "Wi-Fi is slow in the meeting room",
            "Branch office cannot reach the file server",
            "Phones in reception have no dial tone",
            "Guest network asks for a certificate",
            "New switch for the second floor",
            "Video calls freeze since this morning",
            "Open a port for the accounting software",
        ],
    },
    WorkKind {
        category: "Email",
        frequency: 18,
        slowness: 0.9,
        subjects: &[
            "Outlook asks for the password again",
            "Shared mailbox is missing",
            "Mail to a supplier bounces",
            "Calendar invitations arrive twice",
            "Mailbox is full",
            "Signature has the old address",
            "Cannot send attachments",
        ],
    },
    WorkKind {
        category: "Printing",
        frequency: 13,
        slowness: 0.85,
        subjects: &[
            "Printer shows error 49.4C02",
            "Labels print blank",
            "Scanner does not send to mail",
            "Toner warning although it is new",
            "Prints come out on the wrong floor",
        ],
    },
    WorkKind {
        category: "Backup",
        frequency: 12,
        slowness: 1.1,
        subjects: &[
            "Nightly backup failed twice",
            "Restore a folder from last Tuesday",
            "Backup disk is almost full",
            "Offsite copy is three days behind",
            "Restore a deleted mailbox",
        ],
    },
    WorkKind {
        category: "Accounts",
        frequency: 19,
        slowness: 0.9,
        subjects: &[
            "Leaver: disable account on Friday",
            "New starter needs a laptop",
            "Locked out after the holiday",
            "Access to the finance share",
            "Change of name after a wedding",
            "Licence for a second screen tool",
            "Reset password for the front desk",
        ],
    },
    WorkKind {
        category: "Security",
        frequency: 13,
        slowness: 1.05,
        subjects: &[
            "Is this mail phishing?",
            "Antivirus found something on SRV-DC01",
            "MFA token lost",
            "Sign-in from abroad that nobody made",
            "Laptop left on a train",
        ],
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

/// Returns a subject into which somebody pasted a log.
pub fn ten_kilobytes() -> String {
    "ERROR connection reset by peer; ".repeat(320)
}

/// People who write in.
pub const REQUESTERS: [&str; 5] = ["Priya Nair", "Tom Becker", "Anaïs Dubois", "Wei Zhang", "Olga Petrova"];
