-- What single people have asked for by the page or the API. What the configuration file says of somebody goes before it.
CREATE TABLE personal_rules (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    person TEXT   NOT NULL, -- their email address in SuperOps, in lower case
    rules  TEXT   NOT NULL, -- in the words of [people."…"], as JSON
    set_by TEXT   NOT NULL,
    set_at BIGINT NOT NULL
);
CREATE INDEX personal_rules_by_person ON personal_rules (person);
