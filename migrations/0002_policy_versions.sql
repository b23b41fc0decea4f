-- What was promised since when: a closed ticket keeps the version that held when it was closed.

CREATE TABLE policy_versions (
    tenant    TEXT   NOT NULL,
    version   BIGINT NOT NULL, -- from 1
    from_time BIGINT NOT NULL, -- the first one holds for everything before it as well
    content   TEXT   NOT NULL, -- policies, the MSP's calendar and holiday lists as JSON
    PRIMARY KEY (tenant, version)
);
