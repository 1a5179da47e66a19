-- PostgreSQL writes a changed row anew, with an entry in each of its indexes. Room on the page lets a change of what no index holds stay there alone.
ALTER TABLE survey_case SET (fillfactor = 60);

-- Only ever written in the transaction that holds the case; checking the key would lock its row again, by writing it.
ALTER TABLE disposition_change DROP CONSTRAINT disposition_change_case_id_fkey;
