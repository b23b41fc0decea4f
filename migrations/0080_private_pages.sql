-- Status pages for one client each, read by a link that nobody can guess: only a hash of it is kept.
CREATE TABLE private_pages (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE, -- SHA-256 of what the link ends in, hex
    tenant     TEXT   NOT NULL,
    client     TEXT   NOT NULL,
    made_at    BIGINT NOT NULL,
    revoked_at BIGINT
);
