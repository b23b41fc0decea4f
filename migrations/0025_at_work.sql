-- What is at work is found by indexes that hold nothing else, so that a message leaves them once and for all: of each
-- message that is sent, an index of all states cost four changes more.
DROP INDEX notifications_due;
CREATE INDEX notifications_pending ON notifications (channel, due_at) WHERE state = 'pending';
CREATE INDEX notifications_sending ON notifications (channel, lease_until) WHERE state = 'sending';

-- An alert has a handful of messages, however they stand.
DROP INDEX notifications_of_alert;
CREATE INDEX notifications_of_alert ON notifications (alert_key);

-- On most alerts nobody acts; and open ones are few, whenever they changed.
DROP INDEX alerts_acts;
CREATE INDEX alerts_acts ON alerts (tenant, acts) WHERE acts > 0;
DROP INDEX alerts_by_state;
CREATE INDEX alerts_resolved ON alerts (tenant, changed_at, key) WHERE state = 'resolved';
