-- What staff prepare on the console. A list stays sealed with its applicant's key until it is imported or thrown away; of a campaign stands its plan, and who
-- asked for its launch.
CREATE TABLE list_draft (
    id            INTEGER PRIMARY KEY,
    applications  TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    file          TEXT NOT NULL,
    rows_sealed   BLOB NOT NULL,
    created_by       TEXT NOT NULL,
    changed_at    BIGINT NOT NULL
);
CREATE TABLE campaign_draft (
    code           TEXT PRIMARY KEY,
    applications   TEXT NOT NULL,
    plan           TEXT NOT NULL,
    gateway        TEXT NOT NULL,
    budget_micros  BIGINT,
    created_by        TEXT NOT NULL,
    changed_at     BIGINT NOT NULL,
    launch_requested_by       TEXT
);
