-- The real name and the telephone of a member of staff, sealed with the key of the staff.
ALTER TABLE account ADD COLUMN full_name_sealed BLOB;
ALTER TABLE account ADD COLUMN phone_sealed BLOB;

-- Links by which the invited set their own password. A link is found by its keyed hash, and used
-- once.
CREATE TABLE account_invitation (
    id          INTEGER PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id),
    token_hash  TEXT NOT NULL UNIQUE,
    created_by  TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,
    revoked_at  BIGINT
);
CREATE INDEX account_invitation_by_account ON account_invitation (account_id);
