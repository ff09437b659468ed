-- A copy that waits for a person: after a restore nobody knows whether it was delivered meanwhile.
ALTER TABLE outbox ADD COLUMN is_suspended INTEGER NOT NULL DEFAULT 0;
