-- Plans and texts that staff keep under a name, for the next campaign.
CREATE TABLE library_entry (
    id          INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('plan', 'sms', 'telephone')),
    name        TEXT NOT NULL,
    content     TEXT NOT NULL,
    saved_by    TEXT NOT NULL,
    saved_at    BIGINT NOT NULL,
    -- Since when it is deleted; it can be had back for a while.
    deleted_at  BIGINT
);

-- What staff note about a campaign. They are told that nothing personal belongs there, and it is
-- deleted with the people of the campaign's applicants all the same.
CREATE TABLE campaign_note (
    id           INTEGER PRIMARY KEY,
    campaign_id  BIGINT NOT NULL REFERENCES campaign (id),
    text         TEXT NOT NULL,
    written_by   TEXT NOT NULL,
    written_at   BIGINT NOT NULL
);
CREATE INDEX campaign_note_by_campaign ON campaign_note (campaign_id);
