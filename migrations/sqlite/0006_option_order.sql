-- The order in which the options were shown, where it was drawn.
ALTER TABLE answer ADD COLUMN option_order TEXT;
