-- Times are seconds since the epoch.

-- What a person is, and what of it may be switched off. All who could sign in until now could do
-- everything, and can still.
ALTER TABLE account ADD COLUMN role TEXT NOT NULL DEFAULT 'administrator'
    CHECK (role IN ('user', 'manager', 'auditor', 'administrator'));
ALTER TABLE account ADD COLUMN reads_bodies INTEGER NOT NULL DEFAULT 1;
ALTER TABLE account ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0;
-- 'en' or 'de'; '' is what the browser asks for.
ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT '';
-- The secret of the second factor in base32, '' where there is none; the last step (RFC 6238) of
-- which a code was used. password is '' for those who sign in by links alone.
ALTER TABLE account ADD COLUMN totp TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;

-- The addresses that are a person's own, and the domains that they manage: normal forms, in which
-- an address has an @ and a domain has none.
CREATE TABLE account_scope (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    PRIMARY KEY (account, scope)
) STRICT, WITHOUT ROWID;

CREATE INDEX account_scope_scope ON account_scope (scope);

-- The SHA-256 of recovery codes that were not used yet.
CREATE TABLE recovery_code (
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    code BLOB NOT NULL,
    PRIMARY KEY (account, code)
) STRICT, WITHOUT ROWID;

-- Links that were sent by mail to sign in, by the SHA-256 of their tokens; each works once.
CREATE TABLE log_in_link (
    token BLOB PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX log_in_link_account ON log_in_link (account);

-- From where somebody has signed in, and what with: 'password', 'code', 'link'. number names a
-- log-in on a page without giving its token away.
ALTER TABLE log_in ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log_in ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE log_in ADD COLUMN program TEXT NOT NULL DEFAULT '';
ALTER TABLE log_in ADD COLUMN means TEXT NOT NULL DEFAULT '';

-- Whose a held message is: its recipient, whom that belongs to, and the domains of both, in
-- normal forms. By this the mail that somebody may see is found without the rest.
CREATE TABLE held_scope (
    scope TEXT NOT NULL,
    held INTEGER NOT NULL REFERENCES held (number) ON DELETE CASCADE,
    PRIMARY KEY (scope, held)
) STRICT, WITHOUT ROWID;

CREATE INDEX held_scope_held ON held_scope (held);

-- Of what is here already only ASCII letters are compared without regard to case.
INSERT OR IGNORE INTO held_scope
    SELECT lower(recipient_local || '@' || recipient_domain), number FROM held
        WHERE recipient_domain <> ''
    UNION SELECT lower(owner), number FROM held WHERE instr(owner, '@')
    UNION SELECT lower(recipient_domain), number FROM held WHERE recipient_domain <> ''
    UNION SELECT lower(replace(owner, rtrim(owner, replace(owner, '@', '')), '')), number FROM held
        WHERE instr(owner, '@');

-- A user has asked that a held message be released, and what was answered.
CREATE TABLE release_request (
    held TEXT PRIMARY KEY REFERENCES held (id) ON DELETE CASCADE,
    asked REAL NOT NULL,
    asked_by TEXT NOT NULL,
    note TEXT NOT NULL,
    answered REAL,
    answered_by TEXT NOT NULL DEFAULT '',
    -- 'allowed', 'refused', or '' as long as nobody has answered.
    answer TEXT NOT NULL DEFAULT '' CHECK (answer IN ('', 'allowed', 'refused'))
) STRICT, WITHOUT ROWID;

CREATE INDEX release_request_open ON release_request (asked) WHERE answer = '';
