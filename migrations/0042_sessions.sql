-- Tokens have a name, may end by themselves, and tell when they were last used.
ALTER TABLE tokens ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN expires_at BIGINT;
ALTER TABLE tokens ADD COLUMN last_used_at BIGINT;

-- Browsers that are signed in. The cookie holds a secret of its own, of which only a hash is kept.
CREATE TABLE sessions (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE, -- SHA-256 of the secret, hex
    token      TEXT   NOT NULL,        -- the token that it was opened with, by its id
    opened_at  BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    origin     TEXT   NOT NULL,        -- the address that it was opened from
    browser    TEXT   NOT NULL
);
CREATE INDEX sessions_of_token ON sessions (token, used_at);
CREATE INDEX sessions_by_age ON sessions (opened_at);
