-- Keys that the store's personal columns are sealed with: without each of them the store is not opened.
CREATE TABLE encryption_keys (
    id    TEXT NOT NULL PRIMARY KEY, -- made of the key, which stands nowhere here
    proof TEXT NOT NULL              -- sealed with it
);
