-- Where others are told what happens, and what is on its way there. An endpoint without kinds is told everything.
CREATE TABLE event_endpoint (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    url          TEXT NOT NULL,
    kinds        TEXT NOT NULL,
    created_by      TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    failures     BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT,
    retry_at  BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL DEFAULT 0,
    last_error      TEXT
);
CREATE TABLE event_delivery (
    id           INTEGER PRIMARY KEY,
    endpoint_id  BIGINT NOT NULL REFERENCES event_endpoint (id),
    kind         TEXT NOT NULL,
    body         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    next_at      BIGINT,
    attempt_count        BIGINT NOT NULL DEFAULT 0,
    arrived_at   BIGINT,
    last_error      TEXT
);
CREATE INDEX event_delivery_due ON event_delivery (endpoint_id, id) WHERE next_at IS NOT NULL;
CREATE INDEX event_delivery_by_age ON event_delivery (created_at);

-- Who drew verifications stands in the audit log; it may be a program too.
ALTER TABLE verification DROP COLUMN drawn_by;
