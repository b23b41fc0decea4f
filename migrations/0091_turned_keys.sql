-- When all that the store held stood under this key, which was the first then; NULL: some of it may not.
ALTER TABLE encryption_keys ADD COLUMN turned_at INTEGER;
