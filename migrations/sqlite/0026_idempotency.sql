-- What was answered to a request of the API, for whoever sends it again under the same key. Status 0: it is still being worked on.
CREATE TABLE idempotency (
    token        TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    status       BIGINT NOT NULL,
    body         TEXT NOT NULL,
    at           BIGINT NOT NULL,
    PRIMARY KEY (token, key)
);
