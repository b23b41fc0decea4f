-- How the work of the replica that leads goes, for the others to show: how each tenant is read, which channels are out of
-- order, how much the audit has found. One row, and none in a file, which one process has to itself.
CREATE TABLE leader_health (
    name   TEXT   NOT NULL PRIMARY KEY, -- 'leader'
    at     BIGINT NOT NULL,             -- when it was told last
    health TEXT   NOT NULL              -- as JSON
);
-- Stands in the row above from now on.
DELETE FROM heartbeats WHERE name LIKE 'synced:%';
