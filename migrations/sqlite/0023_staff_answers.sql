-- Answers of the staff to replies are a kind of message of their own: 7 staff_answer. A check cannot
-- be changed in place: the table is written once more, with the same columns in the same order.
CREATE TABLE message_with_answers (
    invitation_id       BIGINT NOT NULL,
    kind                BIGINT NOT NULL CHECK (kind BETWEEN 0 AND 7),
    number              BIGINT NOT NULL,
    gateway             TEXT NOT NULL,
    reference           TEXT NOT NULL,
    gateway_message_id  TEXT,
    state               TEXT NOT NULL CHECK (state IN (
                            'submitting', 'deferred', 'in_doubt', 'accepted',
                            'delivered', 'undelivered', 'refused', 'failed')),
    parts               BIGINT NOT NULL,
    attempt_count       BIGINT NOT NULL,
    claimed_at          BIGINT NOT NULL,
    submitted_at        BIGINT,
    settled_at          BIGINT,
    received_at         BIGINT,
    code                TEXT,
    cost_micros         BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (invitation_id, kind, number)
);
INSERT INTO message_with_answers SELECT * FROM message;
DROP TABLE message;
ALTER TABLE message_with_answers RENAME TO message;
CREATE INDEX message_by_gateway_id ON message (gateway, gateway_message_id)
    WHERE gateway_message_id IS NOT NULL;
CREATE INDEX message_submitting ON message (claimed_at) WHERE state = 'submitting';
CREATE INDEX message_in_doubt ON message (gateway, settled_at) WHERE state = 'in_doubt';

-- What was written, sealed with the applicant's key, until it goes out and afterwards.
CREATE TABLE staff_answer (
    invitation_id  BIGINT NOT NULL REFERENCES invitation (id),
    -- Among the answers to this person, from 0; the number of its message.
    number         BIGINT NOT NULL,
    reply_id       BIGINT REFERENCES reply (id),
    -- NULL: the person's data is deleted.
    text_sealed    BLOB,
    written_by     TEXT NOT NULL,
    written_at     BIGINT NOT NULL,
    PRIMARY KEY (invitation_id, number)
);
CREATE INDEX staff_answer_by_time ON staff_answer (written_at);
