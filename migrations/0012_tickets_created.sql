-- The past in the order in which tickets were opened: the forecast walks through the latest of them after a start.
CREATE INDEX tickets_created ON tickets (tenant, ticket ->> '$.created_at', id);
