-- Replies without an id of the gateway are the same within a short time only; those whose sender
-- cannot be matched are kept sealed for the staff.
ALTER TABLE reply ADD COLUMN sender_sealed BLOB;
ALTER TABLE reply ADD COLUMN is_unmatched BIGINT NOT NULL DEFAULT 0;
-- Read by nobody yet: it holds up the person's next message.
CREATE INDEX reply_unread ON reply (phone_hash) WHERE handled_at IS NULL;

-- The parts of a long reply, until all of them are there or have been waited for long enough.
CREATE TABLE reply_part (
    id           INTEGER PRIMARY KEY,
    gateway      TEXT NOT NULL,
    sender_hash  TEXT NOT NULL,
    reference    BIGINT NOT NULL,
    total        BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    content_hash TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    received_at  BIGINT NOT NULL,
    -- Set when they have become a reply; kept for a while, so that a repeated part is known.
    taken_at     BIGINT,
    UNIQUE (gateway, sender_hash, reference, total, number)
);
CREATE INDEX reply_part_waiting ON reply_part (received_at);

-- Who said so: an opt-out of the person's own is lifted by the person's own word.
ALTER TABLE suppression ADD COLUMN source TEXT NOT NULL DEFAULT '';
