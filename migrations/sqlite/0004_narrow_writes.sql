-- A message is found by its invitation and step, also from its reference, which begins with the invitation's number: no index of the references, and no
-- number of its own. It is only ever written in the transaction that holds its invitation, so no key needs to be checked.
CREATE TABLE message_2 (
    invitation_id       BIGINT NOT NULL,
    step                BIGINT NOT NULL,
    gateway             TEXT NOT NULL,
    reference           TEXT NOT NULL,
    gateway_message_id  TEXT,
    state               TEXT NOT NULL CHECK (state IN ('submitting', 'deferred', 'in_doubt', 'accepted', 'delivered', 'undelivered', 'refused', 'failed')),
    parts               BIGINT NOT NULL,
    attempt_count               BIGINT NOT NULL,
    claimed_at          BIGINT NOT NULL,
    submitted_at        BIGINT,
    settled_at          BIGINT,
    received_at         BIGINT,
    code                TEXT,
    cost_micros         BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (invitation_id, step)
);
INSERT INTO message_2 (invitation_id, step, gateway, reference, gateway_message_id, state, parts, attempt_count, claimed_at, submitted_at, settled_at, received_at,
                       code, cost_micros)
    SELECT invitation_id, step, gateway, reference, gateway_message_id, state, parts, attempt_count, claimed_at, submitted_at, settled_at, received_at,
           code, cost_micros FROM message;
DROP TABLE message;
ALTER TABLE message_2 RENAME TO message;
CREATE INDEX message_by_gateway_id ON message (gateway, gateway_message_id) WHERE gateway_message_id IS NOT NULL;
CREATE INDEX message_submitting ON message (claimed_at) WHERE state = 'submitting';
CREATE INDEX message_in_doubt ON message (gateway, settled_at) WHERE state = 'in_doubt';

-- What changes with every message stands in narrow rows of its own, in the order in which claims are taken; the invitation and its indexes rest.
CREATE TABLE next_contact (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    campaign_id    BIGINT NOT NULL,
    next_step      BIGINT NOT NULL,
    next_at        BIGINT
);
INSERT INTO next_contact (invitation_id, campaign_id, next_step, next_at) SELECT id, campaign_id, next_step, next_at FROM invitation;
DROP INDEX invitation_due;
ALTER TABLE invitation DROP COLUMN next_step;
ALTER TABLE invitation DROP COLUMN next_at;
CREATE INDEX next_contact_due ON next_contact (campaign_id, next_at, invitation_id) WHERE next_at IS NOT NULL;
