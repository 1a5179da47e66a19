-- A further table of datasets: how, when and by whom each answer was entered. SQLite cannot change
-- a check, so the blocks move to a table with the new one.
CREATE TABLE frozen_block_moved (
    dataset_id    BIGINT NOT NULL REFERENCES dataset (id),
    table_name    TEXT NOT NULL CHECK (table_name IN ('responses', 'cases', 'paradata', 'answers')),
    number        BIGINT NOT NULL,
    plain_cells   BLOB NOT NULL,
    sealed_cells  BLOB,
    PRIMARY KEY (dataset_id, table_name, number)
);
INSERT INTO frozen_block_moved (dataset_id, table_name, number, plain_cells, sealed_cells)
    SELECT dataset_id, table_name, number, plain_cells, sealed_cells FROM frozen_block;
DROP TABLE frozen_block;
ALTER TABLE frozen_block_moved RENAME TO frozen_block;
CREATE TRIGGER frozen_block_is_not_updated BEFORE UPDATE ON frozen_block
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_block_is_not_deleted BEFORE DELETE ON frozen_block
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_block_is_not_added_to BEFORE INSERT ON frozen_block
WHEN (SELECT metadata FROM dataset WHERE id = NEW.dataset_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
