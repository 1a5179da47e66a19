-- Money is in millionths of the gateway's currency.
ALTER TABLE campaign ADD COLUMN budget_micros BIGINT;
ALTER TABLE campaign ADD COLUMN spent_micros BIGINT NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN paused_because TEXT;
ALTER TABLE message ADD COLUMN cost_micros BIGINT NOT NULL DEFAULT 0;

-- How fast a gateway may be asked just now (thousandths of its rate, since when), and how often its circuit has opened in a row.
ALTER TABLE gateway_rate ADD COLUMN rate_permille BIGINT NOT NULL DEFAULT 1000;
ALTER TABLE gateway_rate ADD COLUMN rate_set_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE gateway_rate ADD COLUMN paused_because TEXT;
ALTER TABLE gateway_rate ADD COLUMN circuit_open_count BIGINT NOT NULL DEFAULT 0;

-- What was asked of a gateway and what it answered, without anything of the person; kept a set time.
CREATE TABLE gateway_log (
    id             INTEGER PRIMARY KEY,
    invitation_id  BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    gateway        TEXT NOT NULL,
    request          TEXT NOT NULL,
    response       TEXT NOT NULL,
    at             BIGINT NOT NULL
);
CREATE INDEX gateway_log_by_message ON gateway_log (invitation_id, step);

-- Of several messages in one request, a receipt names one by the request's id and the number.
CREATE TABLE unmatched_receipt_2 (
    id                  INTEGER PRIMARY KEY,
    gateway             TEXT NOT NULL,
    gateway_message_id  TEXT NOT NULL,
    phone_hash          TEXT NOT NULL DEFAULT '',
    delivered           BIGINT NOT NULL,
    code                TEXT,
    received_at         BIGINT NOT NULL,
    UNIQUE (gateway, gateway_message_id, phone_hash, delivered)
);
INSERT INTO unmatched_receipt_2 (gateway, gateway_message_id, delivered, code, received_at)
    SELECT gateway, gateway_message_id, delivered, code, received_at FROM unmatched_receipt;
DROP TABLE unmatched_receipt;
ALTER TABLE unmatched_receipt_2 RENAME TO unmatched_receipt;

ALTER TABLE reply ADD COLUMN handled_at BIGINT;

-- Who looked at something personal, and when.
CREATE TABLE disclosure (
    id      INTEGER PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    kind    TEXT NOT NULL,
    row_id  BIGINT NOT NULL
);

CREATE INDEX message_in_doubt ON message (gateway, settled_at) WHERE state = 'in_doubt';

-- Only what is looked up stands in these, and nothing in an order of its own: a page of an index that is written for one message is written for its
-- neighbours too. Contacts with a number are found by its respondents.
DROP INDEX message_by_phone;
ALTER TABLE message DROP COLUMN phone_hash;
CREATE INDEX invitation_by_respondent ON invitation (respondent_id);
DROP INDEX message_by_gateway_id;
CREATE INDEX message_by_gateway_id ON message (gateway, gateway_message_id) WHERE gateway_message_id IS NOT NULL;
DROP INDEX message_unsettled;
CREATE INDEX message_submitting ON message (claimed_at) WHERE state = 'submitting';
