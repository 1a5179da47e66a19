-- When a cell reached its target: until then its people had time to answer.
ALTER TABLE quota_cell ADD COLUMN filled_at BIGINT;

-- A field that closes, or a cell that fills, changes nobody's outcome. Who was closed as 4.8 by
-- that, and not turned away, gets back what the contacts had come to.
UPDATE survey_case SET
    disposition = COALESCE((
        SELECT d.disposition FROM disposition_change d
        WHERE d.case_id = survey_case.id AND d.disposition <> '4.8'
        ORDER BY d.changed_at DESC, d.id DESC LIMIT 1), '3.11'),
    disposed_at = COALESCE((
        SELECT MAX(d.changed_at) FROM disposition_change d
        WHERE d.case_id = survey_case.id AND d.disposition <> '4.8'), disposed_at)
WHERE disposition = '4.8' AND EXISTS (
    SELECT 1 FROM disposition_change d
    WHERE d.case_id = survey_case.id AND d.disposition = '4.8' AND d.source = 'close');
DELETE FROM disposition_change WHERE disposition = '4.8' AND source = 'close';
