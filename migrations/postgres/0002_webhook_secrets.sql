-- A webhook's secret can be rotated: it is derived from the time at which it was made. The secret
-- before it stays valid for a day.
ALTER TABLE event_endpoint ADD COLUMN secret_made_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_endpoint ADD COLUMN previous_secret_made_at BIGINT;
UPDATE event_endpoint SET secret_made_at = created_at;
