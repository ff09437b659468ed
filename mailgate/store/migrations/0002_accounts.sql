-- Times are seconds since the epoch.

-- Who may sign in to the review pages.
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    -- The name as it is compared: without regard to case.
    key TEXT NOT NULL UNIQUE,
    -- An Argon2id hash with its parameters and salt.
    password TEXT NOT NULL,
    created REAL NOT NULL
) STRICT;

-- Who is signed in. The token itself lies in the browser only; here is its SHA-256.
CREATE TABLE log_in (
    token BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    began REAL NOT NULL,
    seen REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX log_in_account ON log_in (account);
