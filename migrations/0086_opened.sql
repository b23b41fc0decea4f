-- When a ticket was opened stands beside it: the ticket itself may be sealed.
ALTER TABLE tickets ADD COLUMN opened TEXT; -- as in the ticket
UPDATE tickets SET opened = ticket ->> '$.created_at';
DROP INDEX tickets_created;
CREATE INDEX tickets_opened ON tickets (tenant, opened, id);
