-- Times are seconds since the epoch.

-- What speaks for and against those who send: points, which become fewer as time goes by.
CREATE TABLE penalty (
    number INTEGER PRIMARY KEY,
    -- An IPv4 address, or the /24 or /64 network around one.
    name TEXT NOT NULL UNIQUE,
    good REAL NOT NULL,
    bad REAL NOT NULL,
    -- When they were so many.
    at REAL NOT NULL
) STRICT;
