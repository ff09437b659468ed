-- Times are seconds since the epoch.

-- Whether a held message is still to be named in a digest. Of what lies here already nobody is told.
ALTER TABLE held ADD COLUMN owes_digest INTEGER NOT NULL DEFAULT 0;

CREATE INDEX held_owes_digest ON held (lower(owner), number, held)
WHERE owes_digest AND state = 'held';

-- When somebody was last sent a digest; owner is in lower case, as in the next table.
CREATE TABLE digest_sent (
    owner TEXT PRIMARY KEY,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- How somebody wants theirs; '' is what is configured.
CREATE TABLE digest_choice (
    owner TEXT PRIMARY KEY,
    schedule TEXT NOT NULL,
    zone TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What links in mail are signed with.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
