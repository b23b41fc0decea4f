-- What became of a ticket's status is kept with it, so that its clocks can be told without asking for its events.

ALTER TABLE tickets ADD COLUMN past TEXT; -- [[kind, from, to, earliest, latest], …] as JSON, oldest first; none: nothing

UPDATE tickets SET past = (
    SELECT json_group_array(json_array(kind, was, became, earliest, latest))
    FROM (
        SELECT e.kind, e.was, e.became, e.earliest, e.latest FROM events e
        WHERE e.tenant = tickets.tenant AND e.ticket_id = tickets.id AND e.kind IN ('status', 'resolved', 'reopened')
        ORDER BY e.id
    )
)
WHERE EXISTS (
    SELECT 1 FROM events e
    WHERE e.tenant = tickets.tenant AND e.ticket_id = tickets.id AND e.kind IN ('status', 'resolved', 'reopened')
);
