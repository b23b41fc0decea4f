-- While a channel is down, what is urgent is said by the next one as well: once.

ALTER TABLE notifications ADD COLUMN diverted_at BIGINT;
