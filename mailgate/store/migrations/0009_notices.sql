-- The upstream that a copy is for, so that those for one can be found without the others; it is
-- worked out anew at each start and reload.
ALTER TABLE outbox ADD COLUMN destination TEXT NOT NULL DEFAULT '';
-- Whether its last try has not reached the upstream: it is tried again as soon as one does.
ALTER TABLE outbox ADD COLUMN is_unreached INTEGER NOT NULL DEFAULT 0;
-- Whether its sender was told that it is late, or is not to be told. What waits already is not told.
ALTER TABLE outbox ADD COLUMN is_delay_told INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET is_delay_told = 1;
-- Who has stopped it, where it waits for a person; '' after a restore.
ALTER TABLE outbox ADD COLUMN suspended_by TEXT NOT NULL DEFAULT '';

CREATE INDEX outbox_destination ON outbox (destination, next_try)
WHERE NOT is_trying AND NOT is_suspended;
CREATE INDEX outbox_queued ON outbox (queued) WHERE NOT is_delay_told;

-- Whether its recipient, and the postmaster, is still to be told by mail that it could not be
-- delivered. Of what lies here already nobody is told any more.
ALTER TABLE held ADD COLUMN owes_recipient INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN owes_postmaster INTEGER NOT NULL DEFAULT 0;

CREATE INDEX held_owes ON held (owner, number) WHERE owes_recipient;
CREATE INDEX held_owes_postmaster ON held (number) WHERE owes_postmaster;

-- When somebody was last sent a notice, in seconds since the epoch.
CREATE TABLE notified (
    address TEXT PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
