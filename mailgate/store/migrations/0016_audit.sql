-- Times are seconds since the epoch.

-- What people have looked at and done. Rows are only ever added; from the oldest on they go when
-- their time is over.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    -- Who it was, by the name at that time, and from where; '' is the command line.
    by TEXT NOT NULL,
    client TEXT NOT NULL,
    -- A stable name, as message.read.
    act TEXT NOT NULL,
    -- The held message it was about, or ''; and what it was in words.
    held TEXT NOT NULL,
    trace TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX audit_held ON audit (held, number) WHERE held <> '';
CREATE INDEX audit_at ON audit (at);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT raise(ABORT, 'the audit is not changed');
END;

CREATE TRIGGER audit_goes_from_its_beginning BEFORE DELETE ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE number < OLD.number) BEGIN
    SELECT raise(ABORT, 'the audit goes only from its beginning');
END;
