-- A person's word on why a clock was missed, beside what its history tells. `reason_by` says whose word it is.
ALTER TABLE entries ADD COLUMN said_reason TEXT;
