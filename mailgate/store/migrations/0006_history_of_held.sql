-- The held message that something happened to, or '': by its id the trace is found also when its
-- row is gone.
ALTER TABLE history ADD COLUMN held TEXT NOT NULL DEFAULT '';

UPDATE history SET held = substr(text, 6, 14)
WHERE event LIKE 'quarantine.%' AND text LIKE 'copy ____-____-____ for %';

CREATE INDEX history_held ON history (held) WHERE held <> '';
