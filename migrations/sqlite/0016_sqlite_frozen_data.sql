-- Frozen data never changes: the database itself refuses it.
CREATE TRIGGER frozen_block_is_not_updated BEFORE UPDATE ON frozen_block
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_block_is_not_deleted BEFORE DELETE ON frozen_block
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_block_is_not_added_to BEFORE INSERT ON frozen_block
WHEN (SELECT metadata FROM dataset WHERE id = NEW.dataset_id) IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_dataset_is_not_deleted BEFORE DELETE ON dataset
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
CREATE TRIGGER frozen_dataset_is_not_updated BEFORE UPDATE ON dataset
WHEN OLD.metadata IS NOT NULL AND (
    NEW.id IS NOT OLD.id OR NEW.application_id IS NOT OLD.application_id OR NEW.kind IS NOT OLD.kind OR NEW.version IS NOT OLD.version
    OR NEW.frozen_at IS NOT OLD.frozen_at OR NEW.reason IS NOT OLD.reason OR NEW.withdrawn IS NOT OLD.withdrawn OR NEW.metadata IS NOT OLD.metadata
    OR (OLD.released_at IS NOT NULL AND (NEW.released_at IS NOT OLD.released_at OR NEW.redacted_cells IS NOT OLD.redacted_cells))
    OR (OLD.sha256 IS NOT NULL AND NEW.sha256 IS NOT OLD.sha256))
BEGIN SELECT RAISE(ABORT, 'frozen data never changes'); END;
