-- The keyed hashes of a person's further numbers: without them, nobody who has only such a number
-- could find, export or erase what is held under it.
CREATE TABLE further_number (
    phone_hash     TEXT NOT NULL,
    respondent_id  BIGINT NOT NULL REFERENCES respondent (id),
    PRIMARY KEY (phone_hash, respondent_id)
);
CREATE INDEX further_number_of_respondent ON further_number (respondent_id);

-- 0 until the hashes are computed from what is sealed; an erased person has nothing to be hashed.
ALTER TABLE respondent ADD COLUMN further_numbers_hashed BIGINT NOT NULL DEFAULT 0;
UPDATE respondent SET further_numbers_hashed = 1 WHERE erased_at IS NOT NULL;
CREATE INDEX respondent_not_hashed ON respondent (id) WHERE further_numbers_hashed = 0;
