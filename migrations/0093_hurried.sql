-- 1: a person wants the next step told now, so what it says waits for no company.
ALTER TABLE alerts ADD COLUMN hurried BIGINT NOT NULL DEFAULT 0;
