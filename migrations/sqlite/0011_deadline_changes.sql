-- What moves an application's deadline: the fee, holds, extensions; and every such change with its day, reason and who made it.
ALTER TABLE application ADD COLUMN fee_settled_at BIGINT;
ALTER TABLE application ADD COLUMN held_since BIGINT;
ALTER TABLE application ADD COLUMN extended_days BIGINT NOT NULL DEFAULT 0;
CREATE TABLE application_event (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    at              BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    days            BIGINT,
    reason          TEXT NOT NULL,
    actor             TEXT NOT NULL
);
CREATE INDEX application_event_by_application ON application_event (application_id);
