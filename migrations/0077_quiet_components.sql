-- A silence or a maintenance window may be about one component.
ALTER TABLE silences ADD COLUMN component TEXT;
ALTER TABLE maintenance_windows ADD COLUMN component TEXT;
