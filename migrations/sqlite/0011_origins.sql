-- Where a web interview was answered: keyed hashes of the browser with its network, and of the
-- network alone, which can be compared within one applicant. No address is stored.
ALTER TABLE response ADD COLUMN device_hash TEXT;
ALTER TABLE response ADD COLUMN network_hash TEXT;
-- Clusters are looked for where somebody has just finished.
CREATE INDEX response_placed ON response (completed_at) WHERE device_hash IS NOT NULL;
-- Whether another response of the application has the same answers; set when the field closes.
ALTER TABLE response ADD COLUMN is_duplicate BIGINT;

-- What staff decided about a response that was conspicuous. While decided_at is empty, an exclusion
-- waits for a second person.
CREATE TABLE response_review (
    case_id       BIGINT PRIMARY KEY REFERENCES survey_case (id),
    verdict       TEXT NOT NULL CHECK (verdict IN ('accepted', 'excluded')),
    reason        TEXT NOT NULL,
    requested_by  TEXT NOT NULL,
    requested_at  BIGINT NOT NULL,
    decided_by    TEXT,
    decided_at    BIGINT,
    -- The case's disposition by its answers, while it is excluded.
    disposition   TEXT NOT NULL
);

-- Places from which many people of an applicant answered, once each.
CREATE TABLE response_cluster (
    applicant_id  BIGINT NOT NULL REFERENCES applicant (id),
    shared        TEXT NOT NULL CHECK (shared IN ('device', 'network')),
    place_hash    TEXT NOT NULL,
    found_at      BIGINT NOT NULL,
    notified_at   BIGINT,
    PRIMARY KEY (applicant_id, shared, place_hash)
);
