-- The staff, and who is signed in. A session is found by the hash of what the browser holds.
CREATE TABLE account (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    role           TEXT NOT NULL,
    languages      TEXT NOT NULL,
    password_hash  TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    disabled_at    BIGINT,
    failed_sign_ins         BIGINT NOT NULL DEFAULT 0,
    locked_until   BIGINT
);
CREATE TABLE session (
    token_hash  TEXT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id),
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX session_by_account ON session (account_id);

-- Who waits to be called, a row for each invitation at a telephone step; next_at is NULL when no call is to come. A lease keeps everybody else away while an
-- interviewer has the person on the screen.
CREATE TABLE call_queue (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    campaign_id    BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    entered_at     BIGINT NOT NULL,
    next_at        BIGINT,
    promised_at    BIGINT,
    calls          BIGINT NOT NULL DEFAULT 0,
    max_calls     BIGINT NOT NULL,
    soft_refusals  BIGINT NOT NULL DEFAULT 0,
    refused_to     BIGINT,
    tried_day_parts    BIGINT NOT NULL DEFAULT 0,
    language       TEXT NOT NULL,
    assigned_to    BIGINT,
    leased_by      BIGINT,
    leased_until   BIGINT,
    call_id        BIGINT
);
CREATE INDEX call_queue_due ON call_queue (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX call_queue_leased ON call_queue (leased_by) WHERE leased_by IS NOT NULL;

-- One row for each time that an interviewer had a number on the screen.
CREATE TABLE phone_call (
    id             INTEGER PRIMARY KEY,
    invitation_id  BIGINT NOT NULL,
    campaign_id    BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    account_id     BIGINT NOT NULL REFERENCES account (id),
    purpose        TEXT NOT NULL CHECK (purpose IN ('interview', 'verification')),
    day_part       TEXT NOT NULL,
    begun_at       BIGINT NOT NULL,
    ended_at       BIGINT,
    outcome        TEXT,
    is_attempt     BIGINT NOT NULL DEFAULT 0,
    is_reached     BIGINT NOT NULL DEFAULT 0,
    call_back_at   BIGINT,
    note_sealed    BLOB
);
CREATE INDEX phone_call_by_invitation ON phone_call (invitation_id, begun_at);
CREATE INDEX phone_call_by_account ON phone_call (account_id, begun_at);

-- Completed interviews that a supervisor calls back about: drawn by lot, asked once, by somebody else than the interviewer.
CREATE TABLE verification (
    id             INTEGER PRIMARY KEY,
    call_id        BIGINT NOT NULL UNIQUE,
    invitation_id  BIGINT NOT NULL,
    drawn_at       BIGINT NOT NULL,
    drawn_by       BIGINT NOT NULL REFERENCES account (id),
    taken_by       BIGINT REFERENCES account (id),
    taken_at       BIGINT,
    verified_at    BIGINT,
    outcome        TEXT,
    answers        TEXT,
    comment_sealed BLOB
);
CREATE INDEX verification_by_invitation ON verification (invitation_id);

-- Who entered an answer, where an interviewer did.
ALTER TABLE answer ADD COLUMN account_id BIGINT;
