-- Whose days a closed month has: another time zone in the calendar does not cut it anew. NULL: it was closed before that was
-- kept.
ALTER TABLE months ADD COLUMN zone TEXT;
