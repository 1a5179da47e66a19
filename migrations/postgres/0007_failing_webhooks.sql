-- A webhook is failing from its third failure in a row, whatever it answers, and those responsible
-- are told once of each such time, and once when it is disabled.
ALTER TABLE event_endpoint ADD COLUMN notified TEXT;
-- Events are tried until they are deleted for their age; the most tried one is looked up often.
CREATE INDEX event_delivery_undelivered ON event_delivery (endpoint_id, attempt_count)
    WHERE arrived_at IS NULL;
