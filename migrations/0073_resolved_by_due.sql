-- Resolved alerts, listed by when they were due.
CREATE INDEX alerts_resolved_due ON alerts (tenant, due, key) WHERE state = 'resolved';
