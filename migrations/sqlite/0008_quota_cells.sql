-- Cells have numbers: the total is 0. Which of them a case is in, and which of an application are full, are masks with bit n for cell n.
-- The CHECK is the last line of defence of invariant I4.
CREATE TABLE quota_cell_2 (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    number          BIGINT NOT NULL,
    name            TEXT NOT NULL,
    condition       TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('hard', 'soft', 'reserved')),
    target          BIGINT NOT NULL,
    completes       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (application_id, number),
    UNIQUE (application_id, name),
    CHECK (completes >= 0 AND (kind = 'soft' OR completes <= target))
);
INSERT INTO quota_cell_2 (application_id, number, name, condition, kind, target, completes)
    SELECT application_id,
           ROW_NUMBER() OVER (PARTITION BY application_id ORDER BY CASE WHEN segment = '*' THEN 0 ELSE 1 END, segment) - 1,
           segment,
           CASE WHEN segment = '*' THEN 'true' ELSE 'segment == "' || REPLACE(REPLACE(segment, '\', '\\'), '"', '\"') || '"' END,
           'hard', target, completes
    FROM quota_cell;
DROP TABLE quota_cell;
ALTER TABLE quota_cell_2 RENAME TO quota_cell;

-- Cells whose target is reached, so that nobody in them is contacted; and those of them in which no answers are taken any more.
ALTER TABLE application ADD COLUMN full_cell_mask BIGINT NOT NULL DEFAULT 0;
ALTER TABLE application ADD COLUMN closed_cell_mask BIGINT NOT NULL DEFAULT 0;
UPDATE application SET full_cell_mask = COALESCE((
    SELECT CAST(SUM(CAST(1 AS BIGINT) << CAST(q.number AS INTEGER)) AS BIGINT) FROM quota_cell q
    WHERE q.application_id = application.id AND q.completes >= q.target), 0);
UPDATE application SET closed_cell_mask = full_cell_mask;

-- The fields of lists that an application keeps, by the name that conditions call them, with the words that head their columns.
ALTER TABLE application ADD COLUMN list_fields TEXT NOT NULL DEFAULT '{}';

ALTER TABLE survey_case ADD COLUMN fields_sealed BLOB;
ALTER TABLE survey_case ADD COLUMN cell_mask BIGINT NOT NULL DEFAULT 1;
-- Has everything been asked that cells depend on?
ALTER TABLE survey_case ADD COLUMN is_quota_decided BIGINT NOT NULL DEFAULT 1;
UPDATE survey_case SET cell_mask = 1 + COALESCE((
    SELECT CAST(1 AS BIGINT) << CAST(q.number AS INTEGER) FROM quota_cell q
    WHERE q.application_id = survey_case.application_id AND q.number > 0 AND q.name = survey_case.segment), 0);

-- Places kept for people who have begun, until they finish or the time is over.
CREATE TABLE cell_reservation (
    case_id         BIGINT PRIMARY KEY,
    application_id  BIGINT NOT NULL,
    cell_mask           BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX cell_reservation_by_application ON cell_reservation (application_id);
