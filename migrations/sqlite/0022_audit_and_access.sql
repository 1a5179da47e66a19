-- Who looked at what of people, and who changed what; each entry holds the one before it by its hash. The head is where the next one goes on.
CREATE TABLE audit_entry (
    number  BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    via     TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    TEXT NOT NULL
);
CREATE INDEX audit_entry_by_object ON audit_entry (object, number);
CREATE TABLE audit_head (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    number  BIGINT NOT NULL,
    hash    TEXT NOT NULL
);
INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '');

-- A second factor: the sealed secret of the one-time codes, the one that is not confirmed yet, and the last code's time step, which is not taken again.
ALTER TABLE account ADD COLUMN totp_sealed BLOB;
ALTER TABLE account ADD COLUMN totp_pending_sealed BLOB;
ALTER TABLE account ADD COLUMN totp_last_step BIGINT NOT NULL DEFAULT 0;
CREATE TABLE recovery_code (
    code_hash   TEXT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id)
);
-- Whoever has given the password and not the code yet.
ALTER TABLE session ADD COLUMN awaits_code BIGINT NOT NULL DEFAULT 0;

-- Tokens of the API, found by their hashes.
CREATE TABLE api_token (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    token_hash    TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL,
    created_by       TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT,
    last_used_at  BIGINT
);
