-- Counted up with every change, so that what was read before can be told from what stands now.
ALTER TABLE programme ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;

-- What every page looks at stands in the row that it finds by its link: the language, and the consent as it stands (its history is in consent).
ALTER TABLE invitation ADD COLUMN language TEXT NOT NULL DEFAULT 'zh';
ALTER TABLE invitation ADD COLUMN consent TEXT;
ALTER TABLE invitation ADD COLUMN has_withdrawn BIGINT NOT NULL DEFAULT 0;
UPDATE invitation SET
    language = (SELECT r.language FROM respondent r WHERE r.id = invitation.respondent_id),
    consent = (SELECT g.version FROM consent g WHERE g.invitation_id = invitation.id AND g.withdrawn_at IS NULL ORDER BY g.given_at DESC LIMIT 1),
    has_withdrawn = (SELECT COUNT(*) FROM consent g WHERE g.invitation_id = invitation.id AND g.withdrawn_at IS NOT NULL);
