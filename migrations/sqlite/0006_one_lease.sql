-- One person on one screen: an interviewer holds at most one lease. Leases that an earlier version
-- gave out besides run out by themselves, without an interviewer.
UPDATE call_queue SET leased_by = NULL
WHERE leased_by IS NOT NULL AND EXISTS (
    SELECT 1 FROM call_queue AS other
    WHERE other.leased_by = call_queue.leased_by
      AND (other.leased_until > call_queue.leased_until
           OR (other.leased_until = call_queue.leased_until AND other.invitation_id > call_queue.invitation_id)));
DROP INDEX call_queue_leased;
CREATE UNIQUE INDEX call_queue_leased ON call_queue (leased_by) WHERE leased_by IS NOT NULL;
CREATE INDEX call_queue_on_screen ON call_queue (leased_until) WHERE call_id IS NOT NULL;

-- The same for verifications: one that is claimed and not finished.
UPDATE verification SET taken_by = NULL, taken_at = NULL
WHERE taken_by IS NOT NULL AND verified_at IS NULL AND EXISTS (
    SELECT 1 FROM verification AS other
    WHERE other.taken_by = verification.taken_by AND other.verified_at IS NULL
      AND other.id > verification.id);
CREATE UNIQUE INDEX verification_claimed ON verification (taken_by) WHERE verified_at IS NULL;
