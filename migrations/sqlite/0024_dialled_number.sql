-- The keyed hash of the number that was dialled, where it is known: a person may have several, and
-- one that reaches nobody does not end the calls to the others.
ALTER TABLE phone_call ADD COLUMN dialled_hash TEXT;
