-- From when the steps of an alert are counted: after an acknowledgement has run out, or when the danger is back, that is later
-- than the moment at which it was raised. NULL: from that moment.
ALTER TABLE alerts ADD COLUMN steps_from BIGINT;
