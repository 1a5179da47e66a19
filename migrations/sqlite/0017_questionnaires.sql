-- Questionnaires that staff write on the console: the versions that were released, and of the one
-- that is being written its latest states, so that a change can be undone.
CREATE TABLE questionnaire_release (
    id           INTEGER PRIMARY KEY,
    category     TEXT NOT NULL,
    version      BIGINT NOT NULL,
    source       TEXT NOT NULL,
    note         TEXT NOT NULL,
    released_by  TEXT NOT NULL,
    released_at  BIGINT NOT NULL,
    UNIQUE (category, version)
);

CREATE TABLE questionnaire_state (
    id          INTEGER PRIMARY KEY,
    category    TEXT NOT NULL,
    revision    BIGINT NOT NULL,
    source      TEXT NOT NULL,
    changed_by  TEXT NOT NULL,
    changed_at  BIGINT NOT NULL,
    UNIQUE (category, revision)
);
