-- When an applicant signed out: sessions that began before have ended, in whichever browser.
ALTER TABLE applicant_link ADD COLUMN sessions_ended_at BIGINT;
