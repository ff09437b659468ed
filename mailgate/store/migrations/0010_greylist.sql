-- Times are seconds since the epoch.

-- Who has tried to write to whom and has not come again yet; and the networks of those who have,
-- each with the attempt by which it became known.
CREATE TABLE greylist (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    network TEXT NOT NULL,
    -- Without what is new in each message; '' is the null sender.
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    first REAL NOT NULL,
    -- When a known network was last seen, to within a day; of an attempt that waits, its first.
    last REAL NOT NULL,
    is_known INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX greylist_waiting ON greylist (network, sender, recipient) WHERE NOT is_known;
CREATE UNIQUE INDEX greylist_known ON greylist (network) WHERE is_known;
CREATE INDEX greylist_last ON greylist (is_known, last);
