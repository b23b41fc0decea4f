-- A pause moves a policy's due time and leaves its target as it was: by the target an alert knows the same promise again.

ALTER TABLE alerts ADD COLUMN target BIGINT; -- working time that was allowed when it was raised; none: not known
