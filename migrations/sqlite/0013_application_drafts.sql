-- An application as it was read from an applicant's documents, until staff register or discard it.
-- A key of its own seals it, which is destroyed then. The row of a registered one stays, so that
-- the same documents are known again.
CREATE TABLE application_draft (
    id              INTEGER PRIMARY KEY,
    programme_id    BIGINT NOT NULL REFERENCES programme (id),
    content_hash    TEXT NOT NULL,
    applicant_hash  TEXT NOT NULL,
    key_id          TEXT NOT NULL,
    content_sealed  BLOB,
    created_by      TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL,
    ended           TEXT CHECK (ended = 'registered'),
    UNIQUE (programme_id, content_hash, applicant_hash)
);
