-- What the contacts of each application have brought, from which others learn: people that a step has had its time with (in part: as a share), completes,
-- and cases that ended otherwise; and after what time completes came. It tells of nobody, and stays when people are forgotten.
CREATE TABLE response_history (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    mode            TEXT NOT NULL,
    step            BIGINT NOT NULL,
    exposed         DOUBLE PRECISION NOT NULL,
    completes       DOUBLE PRECISION NOT NULL,
    dropouts          DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (application_id, mode, step)
);
CREATE TABLE response_delay (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    bin             BIGINT NOT NULL,
    completes       DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (application_id, bin)
);

-- The last forecast of each day, and when the next one is due.
CREATE TABLE forecast (
    application_id  BIGINT NOT NULL REFERENCES application (id),
    day             TEXT NOT NULL,
    made_at         BIGINT NOT NULL,
    chance          DOUBLE PRECISION NOT NULL,
    document        TEXT NOT NULL,
    PRIMARY KEY (application_id, day)
);
ALTER TABLE application ADD COLUMN forecast_at BIGINT;
UPDATE application SET forecast_at = 0 WHERE state = 'in_field';
CREATE INDEX application_forecast_due ON application (forecast_at) WHERE state = 'in_field';
