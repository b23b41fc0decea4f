-- Views of the list of tickets: filters under a name, of one token or person, or shared by a tenant.
CREATE TABLE saved_views (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   TEXT   NOT NULL, -- the id of a token or a person; empty: shared
    tenant  TEXT   NOT NULL, -- of a shared one, whose; empty: of all tenants
    name    TEXT   NOT NULL,
    filters TEXT   NOT NULL, -- as JSON
    made_by TEXT   NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX saved_views_of_owner ON saved_views (owner, tenant, name);
