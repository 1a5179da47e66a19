-- Answers of the staff to replies are a kind of message of their own: 7 staff_answer.
-- (Rows that are there satisfy the narrower check, so they need not be read.)
ALTER TABLE message DROP CONSTRAINT message_kind_check;
ALTER TABLE message ADD CONSTRAINT message_kind_check CHECK (kind BETWEEN 0 AND 7) NOT VALID;

-- What was written, sealed with the applicant's key, until it goes out and afterwards.
CREATE TABLE staff_answer (
    invitation_id  BIGINT NOT NULL REFERENCES invitation (id),
    -- Among the answers to this person, from 0; the number of its message.
    number         BIGINT NOT NULL,
    reply_id       BIGINT REFERENCES reply (id),
    -- NULL: the person's data is deleted.
    text_sealed    BYTEA,
    written_by     TEXT NOT NULL,
    written_at     BIGINT NOT NULL,
    PRIMARY KEY (invitation_id, number)
);
CREATE INDEX staff_answer_by_time ON staff_answer (written_at);
