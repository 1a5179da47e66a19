-- Interviews by SMS: what each respondent was asked last, in which message, and the question before it, to which a reply may still belong.
CREATE TABLE sms_interview (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    phone_hash     TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('asking', 'ended')),
    nth            BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    case_place     BIGINT NOT NULL,
    item           TEXT NOT NULL,
    text_sealed    BLOB NOT NULL,
    corrections    BIGINT NOT NULL DEFAULT 0,
    before_place   BIGINT,
    before_item    TEXT,
    before_at      BIGINT,
    changed_at     BIGINT NOT NULL
);
CREATE INDEX sms_interview_by_phone ON sms_interview (phone_hash);
-- A reply that an interview has taken, so that a second push of it changes nothing.
ALTER TABLE reply ADD COLUMN taken_at BIGINT;
