-- Rows that are found by what they belong to need no index of their own numbers. (SQLite keeps its rows by them, at no cost.)
ALTER TABLE message DROP CONSTRAINT message_pkey;
ALTER TABLE disposition_change DROP CONSTRAINT disposition_change_pkey;
ALTER TABLE gateway_log DROP CONSTRAINT gateway_log_pkey;
