-- Since when each promise on a service has been in the configuration: no period is settled for a time in which nothing was
-- promised. One that is no longer there has ended; it goes on if it comes back within days.
CREATE TABLE uptime_promises (
    component TEXT   NOT NULL,
    tenant    TEXT   NOT NULL,
    period    TEXT   NOT NULL, -- month | quarter | year
    since     BIGINT NOT NULL,
    ended     BIGINT,
    PRIMARY KEY (component, tenant, period)
);
-- What is promised when this record begins counts as promised all along: until then, an empty period stands for any.
INSERT INTO uptime_promises (component, tenant, period, since)
SELECT id, tenant, '', since FROM uptime_components WHERE ended IS NULL;
