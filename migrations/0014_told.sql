-- Who is told, and for how long it is tried.

ALTER TABLE notifications ADD COLUMN tried_since BIGINT; -- of the first attempt since it was free to go; none: not tried since
