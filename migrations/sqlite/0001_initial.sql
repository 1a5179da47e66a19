-- Times are UTC milliseconds, booleans are 0 or 1, and money is in millionths of the gateway's
-- currency. Personal data stands only in *_sealed columns (encrypted, BLOB) or as keyed hashes
-- (*_hash).

-- Programmes and applicants

CREATE TABLE programme (
    id          INTEGER PRIMARY KEY,
    code        TEXT NOT NULL UNIQUE,
    definition  TEXT NOT NULL,
    updated_at  BIGINT NOT NULL,
    -- Every change increments it, so that a writer can detect that what it read is out of date.
    revision    BIGINT NOT NULL DEFAULT 1
);

-- Each version of a programme's privacy notice, as respondents see it.
CREATE TABLE privacy_notice (
    programme_id  BIGINT NOT NULL REFERENCES programme (id),
    version       TEXT NOT NULL,
    text          TEXT NOT NULL,
    PRIMARY KEY (programme_id, version)
);

CREATE TABLE applicant (
    id            INTEGER PRIMARY KEY,
    programme_id  BIGINT NOT NULL REFERENCES programme (id),
    code          TEXT NOT NULL,
    name          TEXT NOT NULL,
    key_id        TEXT NOT NULL UNIQUE,
    -- Set by a purge, which destroys the key; nobody can be added afterwards.
    purged_at     BIGINT,
    -- A legal hold: while it is set, no data of the applicant's people is deleted at any age.
    hold_reason   TEXT,
    hold_since    BIGINT,
    hold_by       TEXT,
    UNIQUE (programme_id, code)
);

-- Questionnaires and campaigns

CREATE TABLE questionnaire (
    id       INTEGER PRIMARY KEY,
    code     TEXT NOT NULL,
    version  BIGINT NOT NULL,
    sha256   TEXT NOT NULL,
    source   TEXT NOT NULL,
    UNIQUE (code, version)
);

CREATE TABLE campaign (
    id              INTEGER PRIMARY KEY,
    programme_id    BIGINT NOT NULL REFERENCES programme (id),
    code            TEXT NOT NULL UNIQUE,
    plan            TEXT NOT NULL,
    gateway         TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('running', 'paused', 'closed')),
    launched_at     BIGINT NOT NULL,
    closed_at       BIGINT,
    budget_micros   BIGINT,
    spent_micros    BIGINT NOT NULL DEFAULT 0,
    paused_because  TEXT,
    draw_seed       TEXT
);

-- A campaign that staff prepare on the console: its plan, and who requested its launch.
CREATE TABLE campaign_draft (
    code                 TEXT PRIMARY KEY,
    applications         TEXT NOT NULL,
    plan                 TEXT NOT NULL,
    gateway              TEXT NOT NULL,
    budget_micros        BIGINT,
    created_by           TEXT NOT NULL,
    changed_at           BIGINT NOT NULL,
    launch_requested_by  TEXT
);

-- Applications and quotas

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
    closed_at         BIGINT,
    -- Bit n stands for quota cell n. Nobody in a full cell is contacted; a closed cell is a full
    -- one that takes no more answers.
    full_cell_mask    BIGINT NOT NULL DEFAULT 0,
    closed_cell_mask  BIGINT NOT NULL DEFAULT 0,
    -- JSON: the list fields that the application keeps, by their names in conditions,
    -- each with the headings of its column.
    list_fields       TEXT NOT NULL DEFAULT '{}',
    -- These three move the application's deadline.
    fee_settled_at    BIGINT,
    held_since        BIGINT,
    extended_days     BIGINT NOT NULL DEFAULT 0,
    -- When the next forecast is due.
    forecast_at       BIGINT
);
CREATE INDEX application_forecast_due ON application (forecast_at) WHERE state = 'in_field';

-- Every change of an application's deadline: the fee, holds and extensions.
CREATE TABLE application_event (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    at              BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    days            BIGINT,
    reason          TEXT NOT NULL,
    actor           TEXT NOT NULL
);
CREATE INDEX application_event_by_application ON application_event (application_id);

-- Cell 0 is the total. The last CHECK is the last line of defence of invariant I4.
CREATE TABLE quota_cell (
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

-- Capacity that is reserved for a respondent who has begun, until the interview ends or expires.
CREATE TABLE cell_reservation (
    case_id         BIGINT PRIMARY KEY,
    application_id  BIGINT NOT NULL,
    cell_mask       BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX cell_reservation_by_application ON cell_reservation (application_id);

-- A random part of a list that is larger than the need. Applications that share people are drawn
-- together, under the first of them.
CREATE TABLE replicate (
    campaign_id     BIGINT NOT NULL REFERENCES campaign (id),
    number          BIGINT NOT NULL,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    people          BIGINT NOT NULL,
    released_at     BIGINT,
    review_at       BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, number)
);
CREATE INDEX replicate_held_back ON replicate (review_at) WHERE released_at IS NULL;

-- Lists and respondents

CREATE TABLE list_import (
    id            INTEGER PRIMARY KEY,
    applicant_id  BIGINT NOT NULL REFERENCES applicant (id),
    content_hash  TEXT NOT NULL,
    applications  TEXT NOT NULL,
    rows_read     BIGINT NOT NULL,
    accepted      BIGINT NOT NULL,
    merged        BIGINT NOT NULL,
    rejected      BIGINT NOT NULL,
    imported_at   BIGINT NOT NULL,
    UNIQUE (applicant_id, content_hash, applications)
);

-- A list that staff prepare on the console. The applicant's key seals its rows until somebody
-- imports or discards it.
CREATE TABLE list_draft (
    id            INTEGER PRIMARY KEY,
    applications  TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    file          TEXT NOT NULL,
    rows_sealed   BLOB NOT NULL,
    created_by    TEXT NOT NULL,
    changed_at    BIGINT NOT NULL
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
    -- Set when the person's data is deleted; the row stays for the sample counts.
    erased_at      BIGINT,
    -- Staff find a person by name through this hash. Empty: not computed yet; '-': no name.
    name_hash      TEXT NOT NULL DEFAULT '',
    UNIQUE (applicant_id, phone_hash)
);
CREATE INDEX respondent_by_phone ON respondent (phone_hash);
CREATE INDEX respondent_by_name ON respondent (name_hash);

CREATE TABLE suppression (
    id          INTEGER PRIMARY KEY,
    phone_hash  TEXT NOT NULL,
    scope       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    UNIQUE (phone_hash, scope)
);

-- Invitations and cases

CREATE TABLE invitation (
    id             INTEGER PRIMARY KEY,
    campaign_id    BIGINT NOT NULL REFERENCES campaign (id),
    respondent_id  BIGINT NOT NULL REFERENCES respondent (id),
    token_hash     TEXT NOT NULL UNIQUE,
    opened_at      BIGINT,
    -- 0: in no replicate, and so in the field from the launch.
    replicate      BIGINT NOT NULL DEFAULT 0,
    -- Every page needs these three, so they stand in the row that the link finds: the language,
    -- the version consented to now (its history is in consent), and whether consent was withdrawn.
    language       TEXT NOT NULL DEFAULT 'zh',
    consent        TEXT,
    has_withdrawn  BIGINT NOT NULL DEFAULT 0,
    UNIQUE (campaign_id, respondent_id)
);
-- Caps count the contacts with a number, which are found through its respondents.
CREATE INDEX invitation_by_respondent ON invitation (respondent_id);

-- PostgreSQL writes a changed row anew, with an entry in each index. Free space on the page lets a
-- change of unindexed columns stay on that page, without new index entries.
CREATE TABLE survey_case (
    id                INTEGER PRIMARY KEY,
    application_id    BIGINT NOT NULL REFERENCES application (id),
    respondent_id     BIGINT NOT NULL REFERENCES respondent (id),
    invitation_id     BIGINT REFERENCES invitation (id),
    segment           TEXT NOT NULL,
    pseudonym         TEXT NOT NULL,
    disposition       TEXT NOT NULL,
    disposed_at       BIGINT NOT NULL,
    is_open           BIGINT NOT NULL,
    fields_sealed     BLOB,
    -- Bit n: the case is in quota cell n.
    cell_mask         BIGINT NOT NULL DEFAULT 1,
    -- Whether every item that the cells depend on has been asked.
    is_quota_decided  BIGINT NOT NULL DEFAULT 1,
    -- 0 while the case's replicate is held back.
    is_sampled        BIGINT NOT NULL DEFAULT 1,
    -- When the person withdrew consent to answers that were counted; those answers are deleted.
    withdrawn_at      BIGINT,
    -- When the response was finished, if that was after the field closed.
    late_at           BIGINT,
    UNIQUE (respondent_id, application_id),
    UNIQUE (application_id, pseudonym)
);
CREATE INDEX survey_case_by_application ON survey_case (application_id, is_open);
CREATE INDEX survey_case_by_invitation ON survey_case (invitation_id);

-- Queries find these rows by their case, so PostgreSQL keeps no index of the ids; SQLite stores its
-- rows by id at no cost. PostgreSQL checks no foreign key either: the check would lock the case's
-- row by writing it again, and the transaction that adds a row holds that case anyway.
CREATE TABLE disposition_change (
    id           INTEGER PRIMARY KEY,
    case_id      BIGINT NOT NULL REFERENCES survey_case (id),
    disposition  TEXT NOT NULL,
    source       TEXT NOT NULL,
    changed_at   BIGINT NOT NULL
);
CREATE INDEX disposition_change_by_case ON disposition_change (case_id);

-- Messages and gateways

-- Every message changes its invitation's next contact. These narrow rows, in the order in which the
-- dispatcher claims them, take those writes; the invitation and its indexes stay untouched. The next
-- message is a step of the plan or one beside it; the plan continues at resume_step.
CREATE TABLE next_contact (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    campaign_id    BIGINT NOT NULL,
    next_kind      BIGINT NOT NULL,
    next_number    BIGINT NOT NULL,
    resume_step    BIGINT,
    next_at        BIGINT
);
CREATE INDEX next_contact_due ON next_contact (campaign_id, next_at, invitation_id)
    WHERE next_at IS NOT NULL;

-- A kind is a number, as every claim and settlement compares it: 0 step, 1 call_link, 2 sms_link,
-- 3 question, 4 question_reminder, 5 goodbye, 6 confirmation.
-- The primary key enforces invariant I1: each step of the plan, and each message beside it, is
-- one row, whenever a daemon crashes.
-- A reference begins with the invitation's id, so it needs no index. The transaction that writes a
-- message holds its invitation, so no foreign key needs to be checked. The partial indexes hold
-- only rows that are looked up. None has a random order, such as that of phone hashes, so
-- neighbouring messages share the index pages that they write.
CREATE TABLE message (
    invitation_id       BIGINT NOT NULL,
    kind                BIGINT NOT NULL CHECK (kind BETWEEN 0 AND 6),
    number              BIGINT NOT NULL,
    gateway             TEXT NOT NULL,
    reference           TEXT NOT NULL,
    gateway_message_id  TEXT,
    state               TEXT NOT NULL CHECK (state IN (
                            'submitting', 'deferred', 'in_doubt', 'accepted',
                            'delivered', 'undelivered', 'refused', 'failed')),
    parts               BIGINT NOT NULL,
    attempt_count       BIGINT NOT NULL,
    claimed_at          BIGINT NOT NULL,
    submitted_at        BIGINT,
    settled_at          BIGINT,
    received_at         BIGINT,
    code                TEXT,
    cost_micros         BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (invitation_id, kind, number)
);
CREATE INDEX message_by_gateway_id ON message (gateway, gateway_message_id)
    WHERE gateway_message_id IS NOT NULL;
CREATE INDEX message_submitting ON message (claimed_at) WHERE state = 'submitting';
CREATE INDEX message_in_doubt ON message (gateway, settled_at) WHERE state = 'in_doubt';

-- Receipts that arrived before the gateway's answer, or that match no message. When one request
-- carries several messages, the gateway's id and the phone number together identify one of them.
CREATE TABLE unmatched_receipt (
    id                  INTEGER PRIMARY KEY,
    gateway             TEXT NOT NULL,
    gateway_message_id  TEXT NOT NULL,
    phone_hash          TEXT NOT NULL DEFAULT '',
    delivered           BIGINT NOT NULL,
    code                TEXT,
    received_at         BIGINT NOT NULL,
    UNIQUE (gateway, gateway_message_id, phone_hash, delivered)
);

CREATE TABLE reply (
    id             INTEGER PRIMARY KEY,
    gateway        TEXT NOT NULL,
    dedup_hash     TEXT NOT NULL UNIQUE,
    phone_hash     TEXT NOT NULL,
    invitation_id  BIGINT REFERENCES invitation (id),
    meaning        TEXT NOT NULL,
    text_sealed    BLOB,
    received_at    BIGINT NOT NULL,
    handled_at     BIGINT,
    -- Set when an interview takes the reply, so that a repeated push of it changes nothing.
    consumed_at    BIGINT
);

CREATE TABLE gateway_rate (
    gateway             TEXT PRIMARY KEY,
    -- The theoretical arrival time of the next message in UTC microseconds (generic cell rate
    -- algorithm, invariant I3).
    arrival_micros      BIGINT NOT NULL,
    paused_until        BIGINT NOT NULL DEFAULT 0,
    -- The share of the gateway's rate that is in use at present, in thousandths, and since when.
    rate_permille       BIGINT NOT NULL DEFAULT 1000,
    rate_set_at         BIGINT NOT NULL DEFAULT 0,
    paused_because      TEXT,
    -- How many times in a row the circuit has opened.
    circuit_open_count  BIGINT NOT NULL DEFAULT 0
);

-- Requests to gateways and their responses, without personal data; deleted after a set time.
-- As for disposition_change, PostgreSQL keeps no index of the ids.
CREATE TABLE gateway_log (
    id             INTEGER PRIMARY KEY,
    invitation_id  BIGINT NOT NULL,
    kind           BIGINT NOT NULL,
    number         BIGINT NOT NULL,
    gateway        TEXT NOT NULL,
    request        TEXT NOT NULL,
    response       TEXT NOT NULL,
    at             BIGINT NOT NULL
);
CREATE INDEX gateway_log_by_message ON gateway_log (invitation_id, kind, number);

-- Interviews

-- Who consented to which version of the privacy notice, and when.
CREATE TABLE consent (
    invitation_id  BIGINT NOT NULL,
    version        TEXT NOT NULL,
    language       TEXT NOT NULL,
    mode           TEXT NOT NULL,
    given_at       BIGINT NOT NULL,
    withdrawn_at   BIGINT,
    PRIMARY KEY (invitation_id, version)
);

CREATE TABLE response (
    id                 INTEGER PRIMARY KEY,
    case_id            BIGINT NOT NULL UNIQUE REFERENCES survey_case (id),
    language           TEXT NOT NULL,
    mode               TEXT NOT NULL,
    started_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL,
    completed_at       BIGINT,
    -- Quality flags, set when the field closes; empty where they cannot be determined.
    seconds            BIGINT,
    is_speeding        BIGINT,
    is_straight_lined  BIGINT,
    item_nonresponse   DOUBLE PRECISION
);

CREATE TABLE answer (
    id            INTEGER PRIMARY KEY,
    response_id   BIGINT NOT NULL REFERENCES response (id),
    item          TEXT NOT NULL,
    value         TEXT,
    value_sealed  BLOB,
    mode          TEXT NOT NULL,
    answered_at   BIGINT NOT NULL,
    -- The order in which the options were shown, where it was drawn.
    option_order  TEXT,
    -- The interviewer who entered the answer, if one did.
    account_id    BIGINT,
    UNIQUE (response_id, item)
);

-- Paradata: one row each time a respondent sends a page.
CREATE TABLE page_visit (
    id           INTEGER PRIMARY KEY,
    response_id  BIGINT NOT NULL,
    page         BIGINT NOT NULL,
    mode         TEXT NOT NULL,
    device       TEXT NOT NULL,
    shown_at     BIGINT NOT NULL,
    sent_at      BIGINT NOT NULL,
    problems     BIGINT NOT NULL
);
CREATE INDEX page_visit_by_response ON page_visit (response_id);

-- An interview by SMS: the last question and the message that asks it, and the question before it,
-- to which a reply may still belong.
CREATE TABLE sms_interview (
    invitation_id           BIGINT PRIMARY KEY REFERENCES invitation (id),
    phone_hash              TEXT NOT NULL,
    state                   TEXT NOT NULL CHECK (state IN ('asking', 'ended')),
    question_seq            BIGINT NOT NULL,
    case_position           BIGINT NOT NULL,
    item                    TEXT NOT NULL,
    text_sealed             BLOB NOT NULL,
    unclear_count           BIGINT NOT NULL DEFAULT 0,
    previous_case_position  BIGINT,
    previous_item           TEXT,
    previous_at             BIGINT,
    changed_at              BIGINT NOT NULL
);
CREATE INDEX sms_interview_by_phone ON sms_interview (phone_hash);

-- Accounts and the API

CREATE TABLE account (
    id                   INTEGER PRIMARY KEY,
    name                 TEXT NOT NULL UNIQUE,
    role                 TEXT NOT NULL,
    languages            TEXT NOT NULL,
    password_hash        TEXT NOT NULL,
    created_at           BIGINT NOT NULL,
    disabled_at          BIGINT,
    failed_sign_ins      BIGINT NOT NULL DEFAULT 0,
    locked_until         BIGINT,
    -- The secret of the one-time codes, a secret that is not confirmed yet, and the time step of
    -- the last code, which is not accepted again.
    totp_sealed          BLOB,
    totp_pending_sealed  BLOB,
    totp_last_step       BIGINT NOT NULL DEFAULT 0
);

-- A session is found by the hash of the token that the browser holds.
CREATE TABLE session (
    token_hash   TEXT PRIMARY KEY,
    account_id   BIGINT NOT NULL REFERENCES account (id),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    -- The password was correct, and the one-time code is still missing.
    awaits_code  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX session_by_account ON session (account_id);

CREATE TABLE recovery_code (
    code_hash   TEXT PRIMARY KEY,
    account_id  BIGINT NOT NULL REFERENCES account (id)
);

CREATE TABLE api_token (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    token_hash    TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT,
    last_used_at  BIGINT
);

-- The answer to an API request, for a client that repeats it under the same key.
-- Status 0: the request is still being processed.
CREATE TABLE idempotency (
    token        TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    status       BIGINT NOT NULL,
    body         TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (token, key)
);

-- Calls

-- One row for each invitation at a telephone step; next_at is NULL when no call is to come.
-- A lease keeps others away while an interviewer has the person on the screen.
CREATE TABLE call_queue (
    invitation_id    BIGINT PRIMARY KEY REFERENCES invitation (id),
    campaign_id      BIGINT NOT NULL,
    step             BIGINT NOT NULL,
    entered_at       BIGINT NOT NULL,
    next_at          BIGINT,
    promised_at      BIGINT,
    calls            BIGINT NOT NULL DEFAULT 0,
    max_calls        BIGINT NOT NULL,
    soft_refusals    BIGINT NOT NULL DEFAULT 0,
    refused_to       BIGINT,
    tried_day_parts  BIGINT NOT NULL DEFAULT 0,
    language         TEXT NOT NULL,
    assigned_to      BIGINT,
    leased_by        BIGINT,
    leased_until     BIGINT,
    call_id          BIGINT
);
CREATE INDEX call_queue_due ON call_queue (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX call_queue_leased ON call_queue (leased_by) WHERE leased_by IS NOT NULL;

-- One row each time an interviewer has a number on the screen.
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

-- A randomly drawn completed interview. Somebody other than its interviewer calls the respondent
-- once to verify it. The audit log records who drew it.
CREATE TABLE verification (
    id              INTEGER PRIMARY KEY,
    call_id         BIGINT NOT NULL UNIQUE,
    invitation_id   BIGINT NOT NULL,
    drawn_at        BIGINT NOT NULL,
    taken_by        BIGINT REFERENCES account (id),
    taken_at        BIGINT,
    verified_at     BIGINT,
    outcome         TEXT,
    answers         TEXT,
    comment_sealed  BLOB
);
CREATE INDEX verification_by_invitation ON verification (invitation_id);

-- Datasets and deliveries

-- Freezing a version copies its data out of the running field.
CREATE TABLE dataset (
    id              INTEGER PRIMARY KEY,
    application_id  BIGINT NOT NULL REFERENCES application (id),
    kind            TEXT NOT NULL CHECK (kind IN ('final', 'interim')),
    version         BIGINT NOT NULL,
    frozen_at       BIGINT NOT NULL,
    reason          TEXT NOT NULL,
    -- How many cases had withdrawn consent by then.
    withdrawn       BIGINT NOT NULL DEFAULT 0,
    -- JSON: counts, rates and deviations. It is written last and makes the version complete.
    metadata        TEXT,
    -- When the version was released; empty while its open answers wait for a reader.
    released_at     BIGINT,
    released_by     TEXT,
    -- JSON: the cells that the reader redacted, as pseudonyms with columns.
    redacted_cells  TEXT,
    folder          TEXT,
    sha256          TEXT,
    UNIQUE (application_id, kind, version)
);

-- A version's rows in blocks: CSV records without a header. Cells that may hold personal data stand
-- in sealed_cells instead of plain_cells.
CREATE TABLE frozen_block (
    dataset_id    BIGINT NOT NULL REFERENCES dataset (id),
    table_name    TEXT NOT NULL CHECK (table_name IN ('responses', 'cases', 'paradata')),
    number        BIGINT NOT NULL,
    plain_cells   BLOB NOT NULL,
    sealed_cells  BLOB,
    PRIMARY KEY (dataset_id, table_name, number)
);

-- The database itself refuses any change to frozen data.
CREATE TRIGGER frozen_block_is_not_updated BEFORE UPDATE ON frozen_block
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_block_is_not_deleted BEFORE DELETE ON frozen_block
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_block_is_not_added_to BEFORE INSERT ON frozen_block
WHEN (SELECT metadata FROM dataset WHERE id = NEW.dataset_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_dataset_is_not_deleted BEFORE DELETE ON dataset
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_dataset_is_not_updated BEFORE UPDATE ON dataset
WHEN OLD.metadata IS NOT NULL AND (
    NEW.id IS NOT OLD.id
    OR NEW.application_id IS NOT OLD.application_id
    OR NEW.kind IS NOT OLD.kind
    OR NEW.version IS NOT OLD.version
    OR NEW.frozen_at IS NOT OLD.frozen_at
    OR NEW.reason IS NOT OLD.reason
    OR NEW.withdrawn IS NOT OLD.withdrawn
    OR NEW.metadata IS NOT OLD.metadata
    OR (OLD.released_at IS NOT NULL AND (
        NEW.released_at IS NOT OLD.released_at
        OR NEW.redacted_cells IS NOT OLD.redacted_cells))
    OR (OLD.sha256 IS NOT NULL AND NEW.sha256 IS NOT OLD.sha256))
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;

-- A version on its way to one channel. The transaction that marks the dataset as written adds it.
CREATE TABLE delivery (
    id             INTEGER PRIMARY KEY,
    dataset_id     BIGINT NOT NULL REFERENCES dataset (id),
    channel        TEXT NOT NULL CHECK (channel IN ('folder', 's3', 'webhook')),
    created_at     BIGINT NOT NULL,
    -- Empty: the version has arrived, or the daemon has given up.
    next_at        BIGINT,
    attempt_count  BIGINT NOT NULL DEFAULT 0,
    arrived_at     BIGINT,
    last_error     TEXT,
    -- When the people responsible were notified that the daemon had given up.
    notified_at    BIGINT,
    UNIQUE (dataset_id, channel)
);
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;

-- The scoring step's one verdict on a version.
CREATE TABLE verdict (
    dataset_id   BIGINT PRIMARY KEY REFERENCES dataset (id),
    is_accepted  BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    actor        TEXT NOT NULL,
    at           BIGINT NOT NULL,
    -- When the people responsible were notified of a rejection.
    notified_at  BIGINT
);

-- Forecasts and alarms

-- What the contacts of an application led to, from which other applications' forecasts learn:
-- people whose step has run its time (fractions included), completes, and cases that ended
-- otherwise. These rows identify nobody and stay when people are erased.
CREATE TABLE response_history (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    mode            TEXT NOT NULL,
    step            BIGINT NOT NULL,
    exposed         DOUBLE PRECISION NOT NULL,
    completes       DOUBLE PRECISION NOT NULL,
    dropouts        DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (application_id, mode, step)
);

-- How long completes took to arrive, by the mode of the contact before them: answers to calls and
-- answers to messages follow different distributions.
CREATE TABLE response_delay (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    mode            TEXT NOT NULL,
    bin             BIGINT NOT NULL,
    completes       DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (application_id, mode, bin)
);

-- The last forecast of each day.
CREATE TABLE forecast (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    day             TEXT NOT NULL,
    made_at         BIGINT NOT NULL,
    chance          DOUBLE PRECISION NOT NULL,
    document        TEXT NOT NULL,
    PRIMARY KEY (application_id, day)
);

-- A quota in danger. An application has at most one open alarm, whose level follows the forecast.
CREATE TABLE alarm (
    id                  INTEGER PRIMARY KEY,
    application_id      BIGINT NOT NULL REFERENCES application (id),
    level               TEXT NOT NULL,
    chance              DOUBLE PRECISION NOT NULL,
    raised_at           BIGINT NOT NULL,
    -- When the last notice of this level went out.
    notified_at         BIGINT,
    notification_count  BIGINT NOT NULL DEFAULT 0,
    acknowledged_at     BIGINT,
    acknowledged_by     TEXT,
    note                TEXT,
    ended_at            BIGINT,
    end_notified        BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX alarm_open ON alarm (application_id) WHERE ended_at IS NULL;

-- A notice to the people responsible: one row for each channel. It stays after it was sent,
-- or given up.
CREATE TABLE notice (
    id             INTEGER PRIMARY KEY,
    channel        TEXT NOT NULL CHECK (channel IN ('email', 'webhook', 'sms')),
    kind           TEXT NOT NULL,
    subject        TEXT NOT NULL,
    body           TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    next_at        BIGINT,
    attempt_count  BIGINT NOT NULL DEFAULT 0,
    sent_at        BIGINT,
    last_error     TEXT
);
CREATE INDEX notice_due ON notice (next_at) WHERE next_at IS NOT NULL;

-- Erasure

-- What was deleted, when, why and by whom (JSON), and its signature in base 64. A certificate is
-- signed when the deletion is complete.
CREATE TABLE deletion_certificate (
    id            INTEGER PRIMARY KEY,
    applicant_id  BIGINT NOT NULL REFERENCES applicant (id),
    kind          TEXT NOT NULL CHECK (kind IN ('purge', 'erasure')),
    body          TEXT NOT NULL,
    signature     TEXT,
    issued_at     BIGINT
);

-- Audit log

-- Who looked at which personal data, and who changed what. Each hash covers the entry before it.
CREATE TABLE audit_entry (
    number  BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    via     TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    TEXT NOT NULL
);
CREATE INDEX audit_entry_by_object ON audit_entry (object, number);

-- The last entry's number and hash, where the next entry continues the chain.
CREATE TABLE audit_head (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    number  BIGINT NOT NULL,
    hash    TEXT NOT NULL
);
INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '');

-- The database itself refuses to change or delete entries of the audit log.
CREATE TRIGGER audit_entry_is_not_updated BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_entry_is_not_deleted BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;

-- Webhooks

-- Where other systems receive events. An endpoint without kinds receives all of them.
CREATE TABLE event_endpoint (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    url            TEXT NOT NULL,
    kinds          TEXT NOT NULL,
    created_by     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    failures       BIGINT NOT NULL DEFAULT 0,
    failing_since  BIGINT,
    retry_at       BIGINT NOT NULL DEFAULT 0,
    leased_until   BIGINT NOT NULL DEFAULT 0,
    last_error     TEXT
);

CREATE TABLE event_delivery (
    id             INTEGER PRIMARY KEY,
    endpoint_id    BIGINT NOT NULL REFERENCES event_endpoint (id),
    kind           TEXT NOT NULL,
    body           TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    next_at        BIGINT,
    attempt_count  BIGINT NOT NULL DEFAULT 0,
    arrived_at     BIGINT,
    last_error     TEXT
);
CREATE INDEX event_delivery_due ON event_delivery (endpoint_id, id) WHERE next_at IS NOT NULL;
CREATE INDEX event_delivery_by_age ON event_delivery (created_at);
