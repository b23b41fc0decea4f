-- Who holds which alerts, and which of a week's alerts were left alone for an hour.

CREATE INDEX alerts_held ON alerts (tenant) WHERE acked_at IS NOT NULL AND hold_over = 0 AND state = 'open';

ALTER TABLE weekly_figures ADD COLUMN answered_late BIGINT NOT NULL DEFAULT 0; -- of those answered: when they counted as ignored already
