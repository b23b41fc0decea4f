-- What a question costs does not grow with what is past: an index for each, and counters for what is asked week by week.

-- When somebody was first told of an alert, and when somebody first touched its ticket after that.
ALTER TABLE alerts ADD COLUMN told_at BIGINT;
ALTER TABLE alerts ADD COLUMN touched_at BIGINT;

CREATE TABLE weekly_figures (
    tenant              TEXT   NOT NULL,
    week                BIGINT NOT NULL, -- its Monday, at midnight in UTC
    messages            BIGINT NOT NULL,
    alerts              BIGINT NOT NULL, -- of which somebody was first told in this week, like those that follow
    acknowledged        BIGINT NOT NULL,
    acted_before_breach BIGINT NOT NULL,
    answered            BIGINT NOT NULL, -- acknowledged, or their ticket was touched
    PRIMARY KEY (tenant, week)
);

UPDATE alerts SET told_at = (SELECT MIN(n.done_at) FROM notifications n
    WHERE n.alert_key = alerts.key AND n.kind = 'alert' AND n.state = 'sent');
UPDATE alerts SET touched_at = (SELECT MIN(MAX(e.earliest, alerts.told_at)) FROM events e
    WHERE e.tenant = alerts.tenant AND e.ticket_id = alerts.ticket_id AND e.latest > alerts.told_at
    AND e.kind IN ('status', 'assignee', 'group', 'priority', 'first_response', 'resolved'))
    WHERE told_at IS NOT NULL;
INSERT INTO weekly_figures (tenant, week, messages, alerts, acknowledged, acted_before_breach, answered)
    SELECT tenant, told_at - (told_at - 345600000) % 604800000, 0, COUNT(*), SUM(acts > 0),
        COALESCE(SUM(told_at < due AND touched_at < due), 0), SUM(acts > 0 OR touched_at IS NOT NULL)
    FROM alerts WHERE told_at IS NOT NULL GROUP BY 1, 2;
INSERT INTO weekly_figures (tenant, week, messages, alerts, acknowledged, acted_before_breach, answered)
    SELECT tenant, done_at - (done_at - 345600000) % 604800000, COUNT(*), 0, 0, 0, 0
    FROM notifications WHERE state = 'sent' AND bundle IS NULL GROUP BY 1, 2
    ON CONFLICT (tenant, week) DO UPDATE SET messages = excluded.messages;

CREATE INDEX alerts_told ON alerts (told_at) WHERE told_at IS NOT NULL;
DROP INDEX alerts_open;
CREATE INDEX alerts_by_state ON alerts (tenant, state, changed_at, key);
CREATE INDEX alerts_by_stage ON alerts (tenant, state, stage, due, key);
CREATE INDEX alerts_without_id ON alerts (key) WHERE id = '';

DROP INDEX tickets_status;
CREATE INDEX tickets_status ON tickets (tenant, status, open);
DROP INDEX tickets_display_id;
CREATE INDEX tickets_display_id ON tickets (display_id);
CREATE INDEX tickets_id ON tickets (id);

CREATE INDEX notifications_newest ON notifications (tenant, created_at, key);
CREATE INDEX notifications_done ON notifications (done_at, tenant, state) WHERE done_at IS NOT NULL;

DROP INDEX silences_of_tenant;
CREATE INDEX silences_until ON silences (until_at);
DROP INDEX maintenance_windows_of_tenant;
CREATE INDEX maintenance_windows_until ON maintenance_windows (until_at);

CREATE INDEX predictions_at ON predictions (tenant, at);
