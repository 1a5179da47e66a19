-- What of a dataset still has to go where: one row for each way, planned in the transaction that notes that the dataset is written.
CREATE TABLE delivery (
    id          INTEGER PRIMARY KEY,
    dataset_id  BIGINT NOT NULL REFERENCES dataset (id),
    way         TEXT NOT NULL CHECK (way IN ('folder', 's3', 'webhook')),
    created_at  BIGINT NOT NULL,
    -- Empty: it has arrived, or is given up.
    next_at     BIGINT,
    tries       BIGINT NOT NULL DEFAULT 0,
    arrived_at  BIGINT,
    problem     TEXT,
    UNIQUE (dataset_id, way)
);
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;

-- What the scoring step said to a version: once.
CREATE TABLE verdict (
    dataset_id   BIGINT PRIMARY KEY REFERENCES dataset (id),
    is_accepted  BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    who          TEXT NOT NULL,
    at           BIGINT NOT NULL
);
