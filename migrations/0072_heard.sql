-- How much somebody was sent today is found channel by channel, and no further back than it matters.
DROP INDEX notifications_to_person;
CREATE INDEX notifications_to_person ON notifications (person, channel, released_at)
    WHERE released_at IS NOT NULL AND bundle IS NULL AND person IS NOT NULL;
