-- What else was said of a message and of its recipients: SMTPUTF8 (RFC 6531), what is asked of
-- notices (RFC 3461), and as whom the client had logged in. Rows that are here already were kept
-- without it.
ALTER TABLE messages ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN utf8 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN ret TEXT NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN envid TEXT NOT NULL DEFAULT '';

ALTER TABLE held ADD COLUMN notify TEXT NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';

ALTER TABLE outbox ADD COLUMN notify TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN orcpt TEXT NOT NULL DEFAULT '';
