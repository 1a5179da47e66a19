-- When an applicant's people were forgotten; from then on its key is destroyed, and nobody can be added.
ALTER TABLE applicant ADD COLUMN purged_at BIGINT;
-- While this is set, nothing of the applicant's people is deleted, whatever its age.
ALTER TABLE applicant ADD COLUMN hold_reason TEXT;
ALTER TABLE applicant ADD COLUMN hold_since BIGINT;
ALTER TABLE applicant ADD COLUMN hold_by TEXT;

-- When a person's data was deleted; the row stays for the numbers of the sample.
ALTER TABLE respondent ADD COLUMN erased_at BIGINT;

-- What was deleted, when, why and by whom: JSON, and its signature in base 64. A certificate is signed when the deletion is done to the end.
CREATE TABLE deletion_certificate (
    id            INTEGER PRIMARY KEY,
    applicant_id  BIGINT NOT NULL REFERENCES applicant (id),
    kind          TEXT NOT NULL CHECK (kind IN ('purge', 'erasure')),
    body          TEXT NOT NULL,
    signature     TEXT,
    issued_at     BIGINT
);
