-- The public holidays of a year as staff have entered them, over those that come with the program:
-- days as text, with blanks between them.
CREATE TABLE holiday_year (
    year        BIGINT PRIMARY KEY,
    holidays    TEXT NOT NULL,
    workdays    TEXT NOT NULL,
    changed_by  TEXT NOT NULL,
    changed_at  BIGINT NOT NULL
);

-- The plan of a draft before its last change: a removed step can be had back.
ALTER TABLE campaign_draft ADD COLUMN plan_before TEXT;
