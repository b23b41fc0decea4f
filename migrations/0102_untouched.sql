-- Whether a ticket was still as created when it was first read: then its past is known, whatever is edited later. NULL: it was
-- read before this was kept, and its present time of update decides.
ALTER TABLE tickets ADD COLUMN untouched BIGINT;
