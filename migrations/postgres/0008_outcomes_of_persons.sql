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

-- A number that reaches nobody says nothing of the person's eligibility. An interviewer heard 4.31
-- as a non-working number; a gateway or the suppression list only knew that nothing arrives.
UPDATE survey_case SET disposition = CASE disposition
    WHEN '4.32' THEN '3.32' WHEN '4.33' THEN '3.33' WHEN '4.7' THEN '3.34'
    ELSE CASE WHEN EXISTS (
        SELECT 1 FROM disposition_change d
        WHERE d.case_id = survey_case.id AND d.disposition = '4.31' AND d.source = 'telephone')
        THEN '3.31' ELSE '3.30' END
    END
WHERE disposition IN ('4.31', '4.32', '4.33', '4.7');
UPDATE disposition_change SET disposition = CASE disposition
    WHEN '4.32' THEN '3.32' WHEN '4.33' THEN '3.33' WHEN '4.7' THEN '3.34'
    ELSE CASE source WHEN 'telephone' THEN '3.31' ELSE '3.30' END
    END
WHERE disposition IN ('4.31', '4.32', '4.33', '4.7');
