-- Quotas in danger: one open alarm for an application at most; its level follows the forecast. Who is told what, and when, stands in notices.
CREATE TABLE alarm (
    id               INTEGER PRIMARY KEY,
    application_id   BIGINT NOT NULL REFERENCES application (id),
    level            TEXT NOT NULL,
    chance           DOUBLE PRECISION NOT NULL,
    raised_at        BIGINT NOT NULL,
    -- When it was told last, at this level.
    notified_at          BIGINT,
    notification_count       BIGINT NOT NULL DEFAULT 0,
    acknowledged_at  BIGINT,
    acknowledged_by  TEXT,
    note             TEXT,
    ended_at         BIGINT,
    end_notified      BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX alarm_open ON alarm (application_id) WHERE ended_at IS NULL;

-- What goes out to those responsible: one row for each channel; kept after it went, and when it was given up.
CREATE TABLE notice (
    id          INTEGER PRIMARY KEY,
    channel     TEXT NOT NULL CHECK (channel IN ('email', 'webhook', 'sms')),
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    body        TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    next_at     BIGINT,
    attempt_count       BIGINT NOT NULL DEFAULT 0,
    sent_at     BIGINT,
    last_error     TEXT
);
CREATE INDEX notice_due ON notice (next_at) WHERE next_at IS NOT NULL;
