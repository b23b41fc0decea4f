-- The audit log is read by time, and by the alert that somebody acted upon.
ALTER TABLE audit ADD COLUMN alert TEXT;

UPDATE audit SET alert = substr(what, instr(what, ' alert ') + 7, instr(what, ' (') - instr(what, ' alert ') - 7)
WHERE what LIKE '% alert %:%:%:% (%';

CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_alert ON audit (alert) WHERE alert IS NOT NULL;
