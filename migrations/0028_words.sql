-- The field's words for what the store keeps.
ALTER TABLE dead_phones RENAME TO unreachable_numbers;
ALTER TABLE tickets RENAME COLUMN talk TO conversation;
