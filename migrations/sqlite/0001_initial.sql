-- Times are UTC milliseconds, booleans 0/1, personal data only in *_sealed columns (BLOB) or as keyed hashes (*_hash).

CREATE TABLE programme (
    id          INTEGER PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    definition  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL
);

CREATE TABLE applicant (
    id            INTEGER PRIMARY KEY,
    programme_id  BIGINT NOT NULL REFERENCES programme (id),
    code          TEXT NOT NULL,
    name          TEXT NOT NULL,
    key_id        TEXT NOT NULL UNIQUE,
    UNIQUE (programme_id, code)
);

CREATE TABLE campaign (
    id            INTEGER PRIMARY KEY,
    programme_id  BIGINT NOT NULL REFERENCES programme (id),
    code          TEXT NOT NULL UNIQUE,
    plan          TEXT NOT NULL,
    gateway       TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('running', 'paused', 'closed')),
    launched_at   BIGINT NOT NULL,
    closed_at     BIGINT
);

CREATE TABLE questionnaire (
    id       INTEGER PRIMARY KEY,
    code     TEXT NOT NULL,
    version  BIGINT NOT NULL,
    sha256   TEXT NOT NULL,
    source   TEXT NOT NULL,
    UNIQUE (code, version)
);

CREATE TABLE application (
    id                INTEGER PRIMARY KEY,
    applicant_id      BIGINT NOT NULL REFERENCES applicant (id),
    code              TEXT NOT NULL UNIQUE,
    category          TEXT NOT NULL,
    subject           TEXT NOT NULL,
    quota             TEXT NOT NULL,
    list_received_at  BIGINT,
    field_closes_at   BIGINT,
    campaign_id       BIGINT REFERENCES campaign (id),
    questionnaire_id  BIGINT REFERENCES questionnaire (id),
    state             TEXT NOT NULL CHECK (state IN ('registered', 'in_field', 'closed')),
    closed_by         TEXT CHECK (closed_by IN ('quota', 'due_day', 'by_hand')),
    closed_at         BIGINT
);

-- One row for the total (segment '*') and one for each cell. The CHECK is the last line of defence of invariant I4.
CREATE TABLE quota_cell (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    segment         TEXT NOT NULL,
    target          BIGINT NOT NULL,
    completes       BIGINT NOT NULL DEFAULT 0,
    UNIQUE (application_id, segment),
    CHECK (completes BETWEEN 0 AND target)
);

CREATE TABLE list_import (
    id              INTEGER PRIMARY KEY,
    applicant_id    BIGINT NOT NULL REFERENCES applicant (id),
    content_hash    TEXT NOT NULL,
    applications    TEXT NOT NULL,
    rows_read       BIGINT NOT NULL,
    accepted        BIGINT NOT NULL,
    merged          BIGINT NOT NULL,
    rejected        BIGINT NOT NULL,
    imported_at     BIGINT NOT NULL,
    UNIQUE (applicant_id, content_hash, applications)
);

CREATE TABLE respondent (
    id             INTEGER PRIMARY KEY,
    applicant_id   BIGINT NOT NULL REFERENCES applicant (id),
    phone_hash     TEXT NOT NULL,
    phone_kind     TEXT NOT NULL CHECK (phone_kind IN ('mobile', 'fixed_line')),
    phone_sealed   BLOB NOT NULL,
    person_sealed  BLOB NOT NULL,
    language       TEXT NOT NULL,
    zone           TEXT,
    created_at     BIGINT NOT NULL,
    UNIQUE (applicant_id, phone_hash)
);
CREATE INDEX respondent_by_phone ON respondent (phone_hash);

CREATE TABLE invitation (
    id             INTEGER PRIMARY KEY,
    campaign_id    BIGINT NOT NULL REFERENCES campaign (id),
    respondent_id  BIGINT NOT NULL REFERENCES respondent (id),
    token_hash     TEXT NOT NULL UNIQUE,
    next_step      BIGINT NOT NULL,
    next_at        BIGINT,
    opened_at      BIGINT,
    UNIQUE (campaign_id, respondent_id)
);
CREATE INDEX invitation_due ON invitation (campaign_id, next_at) WHERE next_at IS NOT NULL;

CREATE TABLE survey_case (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    respondent_id   BIGINT NOT NULL REFERENCES respondent (id),
    invitation_id   BIGINT REFERENCES invitation (id),
    segment         TEXT NOT NULL,
    pseudonym       TEXT NOT NULL,
    disposition     TEXT NOT NULL,
    disposed_at     BIGINT NOT NULL,
    is_open         BIGINT NOT NULL,
    UNIQUE (respondent_id, application_id),
    UNIQUE (application_id, pseudonym)
);
CREATE INDEX survey_case_by_application ON survey_case (application_id, is_open);
CREATE INDEX survey_case_by_invitation ON survey_case (invitation_id);

CREATE TABLE disposition_change (
    id           INTEGER PRIMARY KEY,
    case_id      BIGINT NOT NULL REFERENCES survey_case (id),
    disposition  TEXT NOT NULL,
    source       TEXT NOT NULL,
    changed_at   BIGINT NOT NULL
);
CREATE INDEX disposition_change_by_case ON disposition_change (case_id);

-- UNIQUE (invitation_id, step) is invariant I1: a step is one message, whatever crashes when.
CREATE TABLE message (
    id                  INTEGER PRIMARY KEY,
    invitation_id       BIGINT NOT NULL REFERENCES invitation (id),
    step                BIGINT NOT NULL,
    gateway             TEXT NOT NULL,
    reference           TEXT NOT NULL UNIQUE,
    gateway_message_id  TEXT,
    phone_hash          TEXT NOT NULL,
    state               TEXT NOT NULL CHECK (state IN ('submitting', 'deferred', 'in_doubt', 'accepted', 'delivered', 'undelivered', 'refused', 'failed')),
    parts               BIGINT NOT NULL,
    attempt_count               BIGINT NOT NULL,
    claimed_at          BIGINT NOT NULL,
    submitted_at        BIGINT,
    settled_at          BIGINT,
    received_at         BIGINT,
    code                TEXT,
    UNIQUE (invitation_id, step)
);
CREATE INDEX message_by_gateway_id ON message (gateway, gateway_message_id);
CREATE INDEX message_by_phone ON message (phone_hash, claimed_at);
CREATE INDEX message_unsettled ON message (state, claimed_at) WHERE state IN ('submitting', 'in_doubt');

-- Receipts that came before the gateway's answer, or that name no message of ours, wait here.
CREATE TABLE unmatched_receipt (
    id                  INTEGER PRIMARY KEY,
    gateway             TEXT NOT NULL,
    gateway_message_id  TEXT NOT NULL,
    delivered           BIGINT NOT NULL,
    code                TEXT,
    received_at         BIGINT NOT NULL,
    UNIQUE (gateway, gateway_message_id, delivered)
);

CREATE TABLE reply (
    id             INTEGER PRIMARY KEY,
    gateway        TEXT NOT NULL,
    dedup_hash     TEXT NOT NULL UNIQUE,
    phone_hash     TEXT NOT NULL,
    invitation_id  BIGINT REFERENCES invitation (id),
    meaning        TEXT NOT NULL,
    text_sealed    BLOB,
    received_at    BIGINT NOT NULL
);

CREATE TABLE suppression (
    id          INTEGER PRIMARY KEY,
    phone_hash  TEXT NOT NULL,
    scope       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    UNIQUE (phone_hash, scope)
);

CREATE TABLE response (
    id            INTEGER PRIMARY KEY,
    case_id       BIGINT NOT NULL UNIQUE REFERENCES survey_case (id),
    language      TEXT NOT NULL,
    mode          TEXT NOT NULL,
    started_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    completed_at  BIGINT
);

CREATE TABLE answer (
    id            INTEGER PRIMARY KEY,
    response_id   BIGINT NOT NULL REFERENCES response (id),
    item          TEXT NOT NULL,
    value         TEXT,
    value_sealed  BLOB,
    mode          TEXT NOT NULL,
    answered_at   BIGINT NOT NULL,
    UNIQUE (response_id, item)
);

CREATE TABLE dataset (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    version         BIGINT NOT NULL,
    frozen_at       BIGINT NOT NULL,
    folder          TEXT,
    sha256          TEXT,
    UNIQUE (application_id, version)
);

-- The theoretical arrival time of each gateway's next message, in UTC microseconds (generic cell rate algorithm, invariant I3).
CREATE TABLE gateway_rate (
    gateway          TEXT PRIMARY KEY,
    arrival_micros   BIGINT NOT NULL,
    paused_until     BIGINT NOT NULL DEFAULT 0
);
