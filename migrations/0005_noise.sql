-- What waits for one person may be held, and may be said in one message.

ALTER TABLE notifications ADD COLUMN address     TEXT NOT NULL DEFAULT ''; -- the mailbox or number: caps count by it
ALTER TABLE notifications ADD COLUMN client      TEXT;   -- of the ticket it is about, like the next two
ALTER TABLE notifications ADD COLUMN priority    TEXT;
ALTER TABLE notifications ADD COLUMN breach_at   BIGINT; -- the due time of the clock it is about
ALTER TABLE notifications ADD COLUMN rank        BIGINT NOT NULL DEFAULT 1; -- the lowest is sent first
ALTER TABLE notifications ADD COLUMN released_at BIGINT; -- when it was let go; none: not looked at yet, or held
ALTER TABLE notifications ADD COLUMN held_by     TEXT;   -- quiet_hours | cap | budget: the last thing it waited for
ALTER TABLE notifications ADD COLUMN bundle      TEXT;   -- key of the message that says it; its state is `bundled` until that is sent

UPDATE notifications SET address = COALESCE(message ->> '$.to', ''), client = message ->> '$.body.ticket.client',
    priority = message ->> '$.body.ticket.priority';
-- What was tried before, or sent, is past holding.
UPDATE notifications SET released_at = COALESCE(done_at, created_at) WHERE state <> 'pending' OR attempts > 0;

CREATE INDEX notifications_waiting ON notifications (channel, due_at) WHERE state = 'pending' AND released_at IS NULL;
CREATE INDEX notifications_ready ON notifications (channel, rank, due_at, key)
    WHERE state = 'pending' AND released_at IS NOT NULL;
CREATE INDEX notifications_to_address ON notifications (channel, address, released_at)
    WHERE released_at IS NOT NULL AND bundle IS NULL;
CREATE INDEX notifications_by_channel ON notifications (tenant, channel, released_at)
    WHERE released_at IS NOT NULL AND bundle IS NULL;
CREATE INDEX notifications_of_client ON notifications (tenant, client, released_at) WHERE released_at IS NOT NULL;
CREATE INDEX notifications_of_bundle ON notifications (bundle) WHERE bundle IS NOT NULL;
