-- The page that an interviewer sees of a call that goes on, for whoever sits beside. Its row goes
-- with the end of the call.
CREATE TABLE call_page (
    call_id   BIGINT PRIMARY KEY REFERENCES phone_call (id),
    page      BIGINT NOT NULL,
    language  TEXT NOT NULL
);

-- Who sits beside a call that goes on, and until when the last look counts. Its rows go with the end
-- of the call; who has looked stays in the audit log.
CREATE TABLE call_watch (
    call_id     BIGINT NOT NULL REFERENCES phone_call (id),
    account_id  BIGINT NOT NULL REFERENCES account (id),
    seen_until  BIGINT NOT NULL,
    PRIMARY KEY (call_id, account_id)
);

-- Interviewers' shifts, on a weekday (1 is Monday) or on one date. Minutes count from midnight; a
-- shift that ends no later than it begins ends on the next day.
CREATE TABLE shift (
    id            INTEGER PRIMARY KEY,
    account_id    BIGINT NOT NULL REFERENCES account (id),
    weekday       BIGINT CHECK (weekday BETWEEN 1 AND 7),
    day           TEXT,
    from_minute   BIGINT NOT NULL,
    to_minute     BIGINT NOT NULL,
    target_kind   TEXT CHECK (target_kind IN ('interviews', 'calls')),
    target_count  BIGINT NOT NULL DEFAULT 0,
    CHECK ((weekday IS NULL) <> (day IS NULL))
);
CREATE INDEX shift_by_account ON shift (account_id);
