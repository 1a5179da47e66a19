-- An applicant's own page: a personal link, opened with a one-time code that goes to the contact's
-- mobile. Codes are stored as keyed hashes.
CREATE TABLE applicant_link (
    id             INTEGER PRIMARY KEY,
    applicant_id   BIGINT NOT NULL REFERENCES applicant (id),
    token_hash     TEXT NOT NULL UNIQUE,
    mobile_sealed  BLOB NOT NULL,
    created_by     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    revoked_at     BIGINT,
    code_hash      TEXT,
    code_sent_at   BIGINT,
    -- Wrong codes since the last one was sent.
    wrong_codes    BIGINT NOT NULL DEFAULT 0,
    -- Codes sent since counted_since.
    codes_sent     BIGINT NOT NULL DEFAULT 0,
    counted_since  BIGINT NOT NULL DEFAULT 0,
    signed_in_at   BIGINT
);
CREATE INDEX applicant_link_by_applicant ON applicant_link (applicant_id);

-- A list that comes from its applicant: who declared what when it was handed in, and what staff said
-- when they sent it back.
ALTER TABLE list_draft ADD COLUMN is_from_applicant BIGINT NOT NULL DEFAULT 0;
ALTER TABLE list_draft ADD COLUMN declared_sealed BLOB;
ALTER TABLE list_draft ADD COLUMN handed_in_at BIGINT;
ALTER TABLE list_draft ADD COLUMN returned_sealed BLOB;

-- The declarations of lists that were accepted.
CREATE TABLE list_declaration (
    id              INTEGER PRIMARY KEY,
    applicant_id    BIGINT NOT NULL REFERENCES applicant (id),
    applications    TEXT NOT NULL,
    declared_sealed BLOB,
    handed_in_at    BIGINT NOT NULL,
    accepted_by     TEXT NOT NULL,
    accepted_at     BIGINT NOT NULL
);
CREATE INDEX list_declaration_by_applicant ON list_declaration (applicant_id);
