-- Whom the copy belongs to, as in held; '' for those from before: to the recipient's own address.
ALTER TABLE outbox ADD COLUMN owner TEXT NOT NULL DEFAULT '';
