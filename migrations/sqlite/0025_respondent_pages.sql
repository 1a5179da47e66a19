-- The picture on top of a programme's pages; its name holds the hash of its bytes.
CREATE TABLE programme_logo (
    programme_id  BIGINT PRIMARY KEY REFERENCES programme (id),
    name          TEXT NOT NULL,
    content       BLOB NOT NULL
);
CREATE INDEX programme_logo_by_name ON programme_logo (name);

-- What «do not contact me» on a personal page has ended, so that the same person can take it back
-- for a while: states, no personal data.
CREATE TABLE refusal_undo (
    invitation_id  BIGINT PRIMARY KEY REFERENCES invitation (id),
    refused_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    state_before   TEXT NOT NULL
);
