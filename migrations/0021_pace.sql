-- How far apart the messages to one person lie, by day and by night.

ALTER TABLE notifications ADD COLUMN person TEXT;    -- who reads it, by email address or else number, whatever the tenant and the channel; none: a system
ALTER TABLE notifications ADD COLUMN zone   TEXT;    -- where that person is, by the IANA time zone database; none: not known
ALTER TABLE notifications ADD COLUMN urgent BIGINT NOT NULL DEFAULT 1; -- 1: its ticket is of one of the most urgent priorities
ALTER TABLE notifications ADD COLUMN timely BIGINT NOT NULL DEFAULT 0; -- 1: it changes what its reader is doing

CREATE INDEX notifications_to_person ON notifications (person, released_at)
    WHERE released_at IS NOT NULL AND bundle IS NULL AND person IS NOT NULL;
