-- Each row of the audit log holds a hash of itself and of the row before: what is changed or taken out shows.
ALTER TABLE audit ADD COLUMN prior TEXT NOT NULL DEFAULT ''; -- the hash of the row before
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';  -- SHA-256, hex; '' in rows older than this column
