-- Personal paper forms: who is due for one, the print runs, the forms, and what staff keyed in.

-- An invitation that has reached a paper step of its plan. Printing its forms sets printed_at.
CREATE TABLE paper_due (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    campaign_id    BIGINT NOT NULL REFERENCES campaign (id),
    step           BIGINT NOT NULL,
    entered_at     BIGINT NOT NULL,
    printed_at     BIGINT
);
CREATE INDEX paper_due_by_campaign ON paper_due (campaign_id) WHERE printed_at IS NULL;

CREATE TABLE paper_run (
    id           INTEGER PRIMARY KEY,
    campaign_id  BIGINT NOT NULL REFERENCES campaign (id),
    printed_at   BIGINT NOT NULL,
    printed_by   TEXT NOT NULL,
    with_names   BIGINT NOT NULL
);
CREATE INDEX paper_run_by_campaign ON paper_run (campaign_id);

-- The form of a case. A reprint keeps its number, which identifies the form and authorises nothing.
-- The questionnaire, the language and the notice are those that were printed.
CREATE TABLE paper_form (
    case_id           BIGINT PRIMARY KEY REFERENCES survey_case (id),
    number            TEXT NOT NULL UNIQUE,
    questionnaire_id  BIGINT NOT NULL REFERENCES questionnaire (id),
    language          TEXT NOT NULL,
    notice            TEXT NOT NULL,
    state             TEXT NOT NULL CHECK (state IN (
                          'printed', 'keyed', 'came_after', 'undelivered', 'refused', 'blank')),
    recorded_at       BIGINT,
    filled_on         TEXT,
    second_keying     TEXT CHECK (second_keying IN ('wanted', 'agreed', 'different', 'settled')),
    items_compared    BIGINT NOT NULL DEFAULT 0,
    items_different   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX paper_form_second_keying ON paper_form (second_keying)
    WHERE second_keying IN ('wanted', 'different');

CREATE TABLE paper_printing (
    run_id   BIGINT NOT NULL REFERENCES paper_run (id),
    case_id  BIGINT NOT NULL REFERENCES paper_form (case_id),
    step     BIGINT,
    PRIMARY KEY (run_id, case_id)
);
CREATE INDEX paper_printing_by_case ON paper_printing (case_id);

-- What somebody keyed: 1 the first keying, 2 the second one, 3 what a third look settled.
CREATE TABLE paper_keying (
    case_id        BIGINT NOT NULL REFERENCES survey_case (id),
    pass           BIGINT NOT NULL CHECK (pass BETWEEN 1 AND 3),
    account_id     BIGINT NOT NULL REFERENCES account (id),
    keyed_at       BIGINT NOT NULL,
    fields_sealed  BLOB,
    PRIMARY KEY (case_id, pass)
);
