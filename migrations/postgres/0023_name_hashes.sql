-- People are found by their names as by their numbers: by a keyed hash. Empty: not reckoned yet; «-»: there is nothing to find.
ALTER TABLE respondent ADD COLUMN name_hash TEXT NOT NULL DEFAULT '';
CREATE INDEX respondent_by_name ON respondent (name_hash);
