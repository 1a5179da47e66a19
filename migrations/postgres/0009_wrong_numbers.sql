-- Persons of an applicant's lists whose number belongs to somebody else, as whoever answered told.
-- It blocks the pair of person and number, also on the applicant's list of another programme; other
-- persons with the number are contacted.
CREATE TABLE wrong_number (
    applicant_code  TEXT NOT NULL,
    phone_hash      TEXT NOT NULL,
    name_hash       TEXT NOT NULL,
    said_at         BIGINT NOT NULL,
    PRIMARY KEY (applicant_code, phone_hash, name_hash)
);
