-- What a version of a dataset holds is copied out of the running field when it is frozen, and never changes after that: triggers (0016)
-- refuse it.
-- `metadata` (JSON: counts, rates, deviations) is set last; from then on the version is whole.
CREATE TABLE frozen_dataset (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    kind            TEXT NOT NULL CHECK (kind IN ('final', 'interim')),
    version         BIGINT NOT NULL,
    frozen_at       BIGINT NOT NULL,
    reason          TEXT NOT NULL,
    -- Cases that had taken back their consent by then.
    withdrawn       BIGINT NOT NULL DEFAULT 0,
    metadata           TEXT,
    -- Since when it may go out; empty while its open answers wait for a reader.
    released_at     BIGINT,
    released_by     TEXT,
    -- What the reader struck out: JSON, pseudonyms with columns.
    redacted_cells          TEXT,
    folder          TEXT,
    sha256          TEXT,
    UNIQUE (application_id, kind, version)
);
INSERT INTO frozen_dataset (id, application_id, kind, version, frozen_at, reason, metadata, released_at, folder, sha256)
    SELECT id, application_id, 'final', version, frozen_at, 'closed', '{}', frozen_at, folder, sha256 FROM dataset;
DROP TABLE dataset;
ALTER TABLE frozen_dataset RENAME TO dataset;

-- The rows of its tables, so many at a time: records of CSV without a header. Cells that may say something personal stand in `sealed_cells` instead.
CREATE TABLE frozen_block (
    dataset_id  BIGINT NOT NULL REFERENCES dataset (id),
    table_name        TEXT NOT NULL CHECK (table_name IN ('responses', 'cases', 'paradata')),
    number      BIGINT NOT NULL,
    plain_cells       BLOB NOT NULL,
    sealed_cells      BLOB,
    PRIMARY KEY (dataset_id, table_name, number)
);

-- When a person took back the consent to answers that were counted; they are gone.
ALTER TABLE survey_case ADD COLUMN withdrawn_at BIGINT;
-- When its response was finished after the field had closed.
ALTER TABLE survey_case ADD COLUMN late_at BIGINT;
