-- By what messages that were learned are known again. None of it can be read.
CREATE TABLE fuzzy (
    -- Of the message, as the classifier has it: 64 bits with a sign.
    identity INTEGER PRIMARY KEY,
    is_spam INTEGER NOT NULL,
    -- When it was learned last, in days since the epoch.
    day INTEGER NOT NULL,
    -- Of the text: 64 numbers of 32 bits; empty where it is too short.
    sketch BLOB NOT NULL,
    -- The number of the structure, or 0, and those of the files: 64 bits each.
    numbers BLOB NOT NULL
) STRICT;

CREATE INDEX fuzzy_day ON fuzzy (is_spam, day);
