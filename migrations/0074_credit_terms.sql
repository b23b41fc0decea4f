-- What policies give back, version by version: a closed month is judged by what was promised until it was closed.

CREATE TABLE credit_terms (
    tenant    TEXT   NOT NULL,
    version   BIGINT NOT NULL, -- from 1
    from_time BIGINT NOT NULL, -- in force since
    content   TEXT   NOT NULL, -- by what a policy is called in the books: its tiers
    PRIMARY KEY (tenant, version)
);
