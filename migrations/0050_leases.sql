-- Which replica leads, where several work on one database. Each transaction that writes locks the row: so writes happen
-- one after the other, and one of a leader that another has replaced is noticed. No replicas: the row says nothing.
CREATE TABLE leases (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   TEXT   NOT NULL, -- the replica's name for itself; none yet: ''
    epoch    BIGINT NOT NULL, -- rises with each leader
    until_at BIGINT NOT NULL  -- by the database's clock; 0: given back
);
INSERT INTO leases (name, holder, epoch, until_at) VALUES ('leader', '', 0, 0);
