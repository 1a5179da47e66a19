-- What of a dataset still has to go where: one row for each way, planned in the transaction that notes that the dataset is written.
CREATE TABLE delivery (
    id          INTEGER PRIMARY KEY,
    dataset_id  BIGINT NOT NULL REFERENCES dataset (id),
    channel         TEXT NOT NULL CHECK (channel IN ('folder', 's3', 'webhook')),
    created_at  BIGINT NOT NULL,
    -- Empty: it has arrived, or is given up.
    next_at     BIGINT,
    attempt_count       BIGINT NOT NULL DEFAULT 0,
    arrived_at  BIGINT,
    last_error     TEXT,
    UNIQUE (dataset_id, channel)
);
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;

-- What the scoring step said to a version: once.
CREATE TABLE verdict (
    dataset_id   BIGINT PRIMARY KEY REFERENCES dataset (id),
    is_accepted  BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    actor          TEXT NOT NULL,
    at           BIGINT NOT NULL
);
