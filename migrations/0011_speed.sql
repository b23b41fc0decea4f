-- Found in every turn of the evaluation: the rungs that are due.

CREATE INDEX alerts_next_step ON alerts (tenant, next_step_at) WHERE state = 'open' AND next_step_at IS NOT NULL;
