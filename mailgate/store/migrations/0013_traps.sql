-- Times are seconds since the epoch. Addresses are in the form in which they are compared.

-- Addresses that nobody uses, beside those of the configuration.
CREATE TABLE trap (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL UNIQUE,
    is_guessed INTEGER NOT NULL,
    made REAL NOT NULL,
    made_by TEXT NOT NULL,
    note TEXT NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0,
    last REAL
) STRICT;

-- From where somebody has written to an address that does not exist.
CREATE TABLE trap_guess (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    network TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE UNIQUE INDEX trap_guess_address ON trap_guess (address, network);
CREATE INDEX trap_guess_network ON trap_guess (network);
CREATE INDEX trap_guess_at ON trap_guess (at);

-- Addresses that have existed, or that somebody does not want as a trap: none of them becomes one by
-- itself.
CREATE TABLE never_trap (
    address TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO never_trap
    SELECT lower(recipient_local || '@' || recipient_domain) FROM held
    UNION SELECT lower(owner) FROM held
    UNION SELECT lower(recipient_local || '@' || recipient_domain) FROM outbox
    UNION SELECT lower(owner) FROM outbox
    UNION SELECT lower(sender_local || '@' || sender_domain) FROM messages
        WHERE role IN ('internal', 'submission', 'submissions')
    UNION SELECT scope FROM list_entry;
