-- Who holds which alerts is read from those alone: with the tenant only, SQLite preferred the index of all open alerts.
DROP INDEX alerts_held;
CREATE INDEX alerts_held ON alerts (tenant, state, hold_over)
WHERE acked_at IS NOT NULL AND hold_over = 0 AND state = 'open';
