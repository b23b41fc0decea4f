-- What is past goes when it is old: found by its age.

CREATE INDEX receipts_changed ON receipts (changed_at);
