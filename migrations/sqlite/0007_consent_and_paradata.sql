-- The text of each version of a programme's privacy notice, as respondents read it, and who agreed to which when.
CREATE TABLE privacy_notice (
    programme_id  BIGINT NOT NULL REFERENCES programme (id),
    version       TEXT NOT NULL,
    text          TEXT NOT NULL,
    PRIMARY KEY (programme_id, version)
);
CREATE TABLE consent (
    invitation_id  BIGINT NOT NULL,
    version        TEXT NOT NULL,
    language       TEXT NOT NULL,
    mode           TEXT NOT NULL,
    given_at       BIGINT NOT NULL,
    withdrawn_at   BIGINT,
    PRIMARY KEY (invitation_id, version)
);

-- How each page was answered, each time that it was sent.
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

-- Quality flags, set when the field closes; empty where they cannot be told.
ALTER TABLE response ADD COLUMN seconds BIGINT;
ALTER TABLE response ADD COLUMN is_speeding BIGINT;
ALTER TABLE response ADD COLUMN is_straight_lined BIGINT;
ALTER TABLE response ADD COLUMN item_nonresponse DOUBLE PRECISION;
