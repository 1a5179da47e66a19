-- Interviews by SMS: what each respondent was asked last, in which message, and the question before it, to which a reply may still belong.
CREATE TABLE sms_interview (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    phone_hash     TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('asking', 'ended')),
    question_seq            BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    case_position     BIGINT NOT NULL,
    item           TEXT NOT NULL,
    text_sealed    BYTEA NOT NULL,
    unclear_count    BIGINT NOT NULL DEFAULT 0,
    previous_case_position   BIGINT,
    previous_item    TEXT,
    previous_at      BIGINT,
    changed_at     BIGINT NOT NULL
);
CREATE INDEX sms_interview_by_phone ON sms_interview (phone_hash);
-- A reply that an interview has taken, so that a second push of it changes nothing.
ALTER TABLE reply ADD COLUMN consumed_at BIGINT;
