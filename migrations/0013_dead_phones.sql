-- Numbers that no text message reaches, as the provider found out: the next message goes another way at once.

CREATE TABLE dead_phones (
    id    INTEGER PRIMARY KEY AUTOINCREMENT, -- never given again: whoever clears one means that one
    phone TEXT    NOT NULL UNIQUE,
    code  BIGINT  NOT NULL, -- the provider's error
    since BIGINT  NOT NULL,
    until BIGINT  NOT NULL, -- from then on it is tried again
    who   TEXT    NOT NULL  -- whose phone it was
);
