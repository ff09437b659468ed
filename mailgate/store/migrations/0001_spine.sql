-- Times are seconds since the epoch. What is text in JSON is read by the program only.

-- A message that lies in a file of the same name under blobs/. It goes when no row of held
-- and outbox names it any more, and its file after it.
CREATE TABLE messages (
    message TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    trace TEXT NOT NULL,
    session TEXT NOT NULL,
    listener TEXT NOT NULL,
    role TEXT NOT NULL,
    client TEXT NOT NULL,
    port INTEGER NOT NULL,
    started REAL NOT NULL,
    helo TEXT NOT NULL,
    is_esmtp INTEGER NOT NULL,
    tls TEXT NOT NULL,
    sender_local TEXT NOT NULL,
    sender_domain TEXT NOT NULL,
    received REAL NOT NULL,
    declared INTEGER,
    body TEXT NOT NULL,
    from_header TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL
) STRICT;

CREATE INDEX messages_trace ON messages (trace);
CREATE INDEX messages_session ON messages (session);

-- A copy that is held for one recipient. It stays after its release until it is purged.
CREATE TABLE held (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL REFERENCES messages (message),
    state TEXT NOT NULL CHECK (state IN ('provisional', 'held', 'released')),
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    recipient_local TEXT NOT NULL,
    recipient_domain TEXT NOT NULL,
    action TEXT NOT NULL,
    total REAL NOT NULL,
    findings TEXT NOT NULL,
    reason TEXT NOT NULL,
    held REAL NOT NULL,
    acted REAL,
    acted_by TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX held_message ON held (message);
CREATE INDEX held_state ON held (state);
CREATE INDEX held_kind ON held (state, kind);
CREATE INDEX held_held ON held (held);

-- A copy for one recipient that is still to be delivered.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL REFERENCES messages (message),
    recipient_local TEXT NOT NULL,
    recipient_domain TEXT NOT NULL,
    action TEXT NOT NULL,
    total REAL NOT NULL,
    findings TEXT NOT NULL,
    released_from TEXT NOT NULL,
    reason TEXT NOT NULL,
    queued REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    next_try REAL NOT NULL,
    is_trying INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX outbox_message ON outbox (message);
CREATE INDEX outbox_next_try ON outbox (next_try);

-- What happened to a message after its transaction had ended.
CREATE TABLE history (
    trace TEXT NOT NULL,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX history_trace ON history (trace);
CREATE INDEX history_at ON history (at);
