-- What was told of a forecast is found by the moment at which it was decided, to be let go when it is old.
CREATE INDEX predictions_decided ON predictions (decided_at) WHERE decided_at IS NOT NULL;

-- Which rungs are due is asked once for all tenants.
DROP INDEX alerts_next_step;
CREATE INDEX alerts_next_step ON alerts (next_step_at) WHERE state = 'open' AND next_step_at IS NOT NULL;

-- The open tickets of a tenant are found without a look at the tickets themselves, which are long.
DROP INDEX tickets_open;
CREATE INDEX tickets_open ON tickets (tenant, open, id);
