-- What the conversations of a ticket told, and what people decided about its clocks.

ALTER TABLE tickets ADD COLUMN talk TEXT;      -- as JSON; none: never read
ALTER TABLE tickets ADD COLUMN overrides TEXT; -- as JSON, at most one for each clock; none: nothing was decided
