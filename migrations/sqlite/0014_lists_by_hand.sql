-- What staff choose about lists: the file of a draft, so that it can be read in another way; how an
-- applicant's lists are read; who was left out of a list over the limit, and how.
ALTER TABLE list_draft ADD COLUMN file_sealed BLOB;
ALTER TABLE list_import ADD COLUMN left_out BIGINT NOT NULL DEFAULT 0;
ALTER TABLE list_import ADD COLUMN draw_seed BIGINT;
ALTER TABLE list_import ADD COLUMN drawn_from BIGINT;

-- A form of list that staff have said how to read. The hash is of its header; the text holds no
-- personal data.
CREATE TABLE list_form (
    applicant_id BIGINT NOT NULL REFERENCES applicant (id),
    header_hash  TEXT NOT NULL,
    options      TEXT NOT NULL,
    changed_at   BIGINT NOT NULL,
    PRIMARY KEY (applicant_id, header_hash)
);

-- What the application form says beside the subject.
ALTER TABLE applicant ADD COLUMN contact_sealed BLOB;
ALTER TABLE application ADD COLUMN requested_title TEXT NOT NULL DEFAULT '';
ALTER TABLE application ADD COLUMN may_publish BIGINT;
