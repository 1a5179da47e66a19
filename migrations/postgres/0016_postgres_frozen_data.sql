-- Frozen data never changes: the database itself refuses it.
CREATE FUNCTION frozen_data_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'frozen data never changes'; END $$;
CREATE FUNCTION frozen_block_is_not_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT metadata FROM dataset WHERE id = NEW.dataset_id) IS NOT NULL THEN RAISE EXCEPTION 'frozen data never changes'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER frozen_block_stays BEFORE UPDATE OR DELETE ON frozen_block FOR EACH ROW EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_block_is_whole BEFORE INSERT ON frozen_block FOR EACH ROW EXECUTE FUNCTION frozen_block_is_not_added_to();
CREATE TRIGGER frozen_blocks_stay BEFORE TRUNCATE ON frozen_block EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_dataset_is_not_deleted BEFORE DELETE ON dataset FOR EACH ROW EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_datasets_stay BEFORE TRUNCATE ON dataset EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_dataset_is_not_updated BEFORE UPDATE ON dataset FOR EACH ROW WHEN (
    OLD.metadata IS NOT NULL AND (
    NEW.id IS DISTINCT FROM OLD.id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.kind IS DISTINCT FROM OLD.kind
    OR NEW.version IS DISTINCT FROM OLD.version OR NEW.frozen_at IS DISTINCT FROM OLD.frozen_at OR NEW.reason IS DISTINCT FROM OLD.reason
    OR NEW.withdrawn IS DISTINCT FROM OLD.withdrawn OR NEW.metadata IS DISTINCT FROM OLD.metadata
    OR (OLD.released_at IS NOT NULL AND (NEW.released_at IS DISTINCT FROM OLD.released_at OR NEW.redacted_cells IS DISTINCT FROM OLD.redacted_cells))
    OR (OLD.sha256 IS NOT NULL AND NEW.sha256 IS DISTINCT FROM OLD.sha256)))
    EXECUTE FUNCTION frozen_data_never_changes();
-- Ids that were copied (0014) are taken.
SELECT setval(pg_get_serial_sequence('dataset', 'id'), COALESCE((SELECT MAX(id) FROM dataset), 0) + 1, false);
