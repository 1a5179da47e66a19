-- The parts of a long message, where the gateway takes and confirms each of them by itself.
CREATE TABLE message_part (
    invitation_id       BIGINT NOT NULL,
    kind                BIGINT NOT NULL,
    number              BIGINT NOT NULL,
    part                BIGINT NOT NULL,
    gateway             TEXT NOT NULL,
    gateway_message_id  TEXT NOT NULL,
    state               TEXT NOT NULL DEFAULT 'accepted'
                            CHECK (state IN ('accepted', 'delivered', 'undelivered')),
    PRIMARY KEY (invitation_id, kind, number, part)
);
CREATE INDEX message_part_by_gateway_id ON message_part (gateway, gateway_message_id);

-- What a receipt says of the number, until its message is known.
ALTER TABLE unmatched_receipt ADD COLUMN dead_number BIGINT NOT NULL DEFAULT 0;
CREATE INDEX unmatched_receipt_by_time ON unmatched_receipt (received_at);

-- How the gateway's receipts spell ids, once that is found out.
ALTER TABLE gateway_rate ADD COLUMN receipt_ids TEXT;
