-- People who want to be told by mail what happens to services, and what they were told.
CREATE TABLE subscribers (
    id           TEXT    NOT NULL PRIMARY KEY, -- random, hex; links are signed with it
    page         TEXT    NOT NULL,             -- which private page; blank: the public one
    email        TEXT    NOT NULL,
    asked_at     BIGINT  NOT NULL,             -- the last time
    asks         INTEGER NOT NULL,             -- how often, while it was not confirmed
    confirmed_at BIGINT,                       -- none: nothing is sent but the question
    UNIQUE (page, email)
);
CREATE INDEX subscribers_unconfirmed ON subscribers (asked_at) WHERE confirmed_at IS NULL;

-- Updates of incidents and of announced work that subscribers were told of, or that a later one stood for.
CREATE TABLE told_updates (
    id     TEXT    NOT NULL PRIMARY KEY,
    at     BIGINT  NOT NULL,
    mailed INTEGER NOT NULL
);
CREATE INDEX told_updates_at ON told_updates (at);
