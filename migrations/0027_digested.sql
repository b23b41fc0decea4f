-- Which alerts a digest tells whom of: it is a message about many, so its row names none of them.

CREATE TABLE digested (
    alert_key TEXT   NOT NULL,
    digest    TEXT   NOT NULL, -- the alert_key of the digest's notifications, whatever their channel
    recipient TEXT   NOT NULL, -- as theirs
    at        BIGINT NOT NULL,
    PRIMARY KEY (alert_key, digest, recipient)
) WITHOUT ROWID;
CREATE INDEX digested_at ON digested (at);

INSERT INTO digested (alert_key, digest, recipient, at)
    SELECT DISTINCT said.value, n.alert_key, n.recipient, n.created_at
    FROM notifications n JOIN json_each(n.message, '$.body.alerts') AS said WHERE n.kind = 'digest'
    ON CONFLICT DO NOTHING;
