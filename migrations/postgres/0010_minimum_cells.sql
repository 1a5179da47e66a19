-- The completes that a cell wants at least; 0: no minimum. It closes nothing: it is watched, forecast
-- and alarmed.
ALTER TABLE quota_cell ADD COLUMN minimum BIGINT NOT NULL DEFAULT 0;
