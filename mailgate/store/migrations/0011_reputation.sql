-- Times are seconds since the epoch.

-- What is known of senders that were authenticated: domains, and addresses where many share a domain.
CREATE TABLE reputation (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    -- What speaks for and against it, as it was when it last changed; both grow less with time.
    good REAL NOT NULL,
    bad REAL NOT NULL,
    changed REAL NOT NULL,
    -- When mail of it was first and last delivered; 0: never.
    first REAL NOT NULL,
    last REAL NOT NULL,
    -- When somebody here last wrote to it; 0: never.
    written REAL NOT NULL,
    -- When any of this was last so.
    touched REAL NOT NULL
) STRICT;

CREATE INDEX reputation_touched ON reputation (touched);

-- The days (since the epoch, UTC) on which its mail was delivered, until it is seen whether somebody
-- complains.
CREATE TABLE reputation_day (
    name TEXT NOT NULL,
    day INTEGER NOT NULL,
    PRIMARY KEY (name, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX reputation_day_day ON reputation_day (day);

-- What people have said of a message, so that each counts once.
CREATE TABLE reputation_rated (
    trace TEXT PRIMARY KEY,
    is_spam INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX reputation_rated_at ON reputation_rated (at);
