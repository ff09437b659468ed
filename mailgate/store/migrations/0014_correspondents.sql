-- Times are seconds since the epoch.

-- Which of ours has had mail with whom.
CREATE TABLE correspondents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Both addresses in the form in which they are compared.
    theirs TEXT NOT NULL,
    ours TEXT NOT NULL,
    -- The organisation of theirs, and how its name looks; both empty where anybody can have an address.
    domain TEXT NOT NULL,
    look TEXT NOT NULL,
    -- When authenticated mail of theirs was last delivered to ours, and ours last wrote to them; 0: never.
    heard REAL NOT NULL,
    written REAL NOT NULL,
    -- The later of both.
    touched REAL NOT NULL,
    UNIQUE (theirs, ours)
) STRICT;

CREATE INDEX correspondents_look ON correspondents (look) WHERE written > 0 AND look != '';
CREATE INDEX correspondents_touched ON correspondents (touched);
