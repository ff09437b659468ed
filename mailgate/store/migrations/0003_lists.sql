-- Times are seconds since the epoch.

-- What people allow and block. One thing is, for one scope, on one list.
CREATE TABLE list_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list TEXT NOT NULL CHECK (list IN ('allow', 'block')),
    kind TEXT NOT NULL CHECK (kind IN ('address', 'list-id', 'domain', 'network')),
    value TEXT NOT NULL,
    -- An address or a domain of ours, or '' for everybody.
    scope TEXT NOT NULL,
    note TEXT NOT NULL,
    -- Who made it or changed it last, and when.
    made_by TEXT NOT NULL,
    made REAL NOT NULL,
    expires REAL,
    UNIQUE (kind, value, scope)
) STRICT;

CREATE INDEX list_entry_expires ON list_entry (expires) WHERE expires IS NOT NULL;
