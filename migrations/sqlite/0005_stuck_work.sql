-- Work of the daemon's loops that fails again and again: it is put aside for a while, so that it
-- holds up nothing else, and shown to the staff.
CREATE TABLE stuck_work (
    kind           TEXT NOT NULL,
    item           TEXT NOT NULL,
    problem        TEXT NOT NULL,
    attempt_count  BIGINT NOT NULL,
    since          BIGINT NOT NULL,
    retry_at       BIGINT NOT NULL,
    PRIMARY KEY (kind, item)
);
