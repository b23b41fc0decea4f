-- What comes back to us: receipts of text messages, replies to them, and links that were clicked.

CREATE TABLE secrets (
    name       TEXT   NOT NULL PRIMARY KEY,
    value      BLOB   NOT NULL, -- random bytes, made here once and shown nowhere
    created_at BIGINT NOT NULL
);

CREATE TABLE receipts (
    provider_id  TEXT   NOT NULL PRIMARY KEY, -- the provider's name for the message
    notification TEXT   NOT NULL,
    status       TEXT   NOT NULL, -- the provider's word; empty until the first report
    rank         BIGINT NOT NULL, -- only rises: reports come doubled, late and in any order
    code         BIGINT,
    changed_at   BIGINT NOT NULL,
    poll_at      BIGINT,          -- none: settled, or asked often enough
    polls        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX receipts_of_notification ON receipts (notification);
CREATE INDEX receipts_to_poll ON receipts (poll_at) WHERE poll_at IS NOT NULL;

CREATE TABLE used_links (
    token        TEXT   NOT NULL PRIMARY KEY, -- SHA-256 of the link's token, hex
    notification TEXT   NOT NULL,
    used_at      BIGINT NOT NULL
);

CREATE TABLE sms_codes (
    phone        TEXT   NOT NULL,
    code         BIGINT NOT NULL, -- 1 to 99, as the phone's owner types it
    alert_key    TEXT   NOT NULL,
    notification TEXT   NOT NULL, -- the last one that carried it
    given_at     BIGINT NOT NULL,
    PRIMARY KEY (phone, code)
);
CREATE UNIQUE INDEX sms_codes_of_alert ON sms_codes (phone, alert_key);

CREATE TABLE stopped_phones (
    phone TEXT   NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL,
    who   TEXT   NOT NULL -- whose phone it was when it said STOP
);

CREATE TABLE sms_replies (
    sid    TEXT   NOT NULL PRIMARY KEY, -- the provider's name for the incoming message
    at     BIGINT NOT NULL,
    answer TEXT                         -- none while it is being dealt with
);
