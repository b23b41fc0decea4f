-- People whom an identity provider vouches for: who they are, as JSON, and when they have to sign in anew.
ALTER TABLE sessions ADD COLUMN person TEXT;
ALTER TABLE sessions ADD COLUMN ends_at BIGINT;

-- Sign-ins that were begun at an identity provider and are not yet over; each is taken once.
CREATE TABLE sign_ins (
    key      TEXT   NOT NULL PRIMARY KEY, -- SHA-256 of the name that goes to the provider, hex
    wanted   TEXT   NOT NULL,             -- the page to come back to
    begun_at BIGINT NOT NULL
);
CREATE INDEX sign_ins_by_age ON sign_ins (begun_at);
