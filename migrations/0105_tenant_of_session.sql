-- Whose data a session was opened to see, so that its end is logged with that tenant; none: all tenants, or not known.
ALTER TABLE sessions ADD COLUMN tenant TEXT;
UPDATE sessions SET tenant = (SELECT tokens.tenant FROM tokens WHERE tokens.id = sessions.token);
