-- The account of the member of staff who takes care of a reply.
ALTER TABLE reply ADD COLUMN assigned_to TEXT;
