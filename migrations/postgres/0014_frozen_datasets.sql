-- What a version of a dataset holds is copied out of the running field when it is frozen, and never changes after that: the triggers below refuse it.
-- `about` (JSON: counts, rates, deviations) is set last; from then on the version is whole.
ALTER TABLE dataset ADD COLUMN kind TEXT NOT NULL DEFAULT 'final' CHECK (kind IN ('final', 'interim'));
ALTER TABLE dataset ADD COLUMN reason TEXT NOT NULL DEFAULT 'closed';
-- Cases that had taken back their consent by then.
ALTER TABLE dataset ADD COLUMN withdrawn BIGINT NOT NULL DEFAULT 0;
ALTER TABLE dataset ADD COLUMN about TEXT;
-- Since when it may go out; empty while its open answers wait for a reader.
ALTER TABLE dataset ADD COLUMN released_at BIGINT;
ALTER TABLE dataset ADD COLUMN released_by TEXT;
-- What the reader struck out: JSON, pseudonyms with columns.
ALTER TABLE dataset ADD COLUMN struck TEXT;
UPDATE dataset SET about = '{}', released_at = frozen_at;
ALTER TABLE dataset DROP CONSTRAINT dataset_application_id_version_key;
ALTER TABLE dataset ADD UNIQUE (application_id, kind, version);

-- The rows of its tables, so many at a time: records of CSV without a header. Cells that may say something personal stand in `sealed` instead.
CREATE TABLE frozen_block (
    dataset_id  BIGINT NOT NULL REFERENCES dataset (id),
    part        TEXT NOT NULL CHECK (part IN ('responses', 'cases', 'paradata')),
    number      BIGINT NOT NULL,
    cells       BYTEA NOT NULL,
    sealed      BYTEA,
    PRIMARY KEY (dataset_id, part, number)
);

CREATE FUNCTION frozen_data_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'frozen data never changes'; END $$;
CREATE FUNCTION frozen_block_is_not_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT about FROM dataset WHERE id = NEW.dataset_id) IS NOT NULL THEN RAISE EXCEPTION 'frozen data never changes'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER frozen_block_stays BEFORE UPDATE OR DELETE ON frozen_block FOR EACH ROW EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_block_is_whole BEFORE INSERT ON frozen_block FOR EACH ROW EXECUTE FUNCTION frozen_block_is_not_added_to();
CREATE TRIGGER frozen_blocks_stay BEFORE TRUNCATE ON frozen_block EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_dataset_is_not_deleted BEFORE DELETE ON dataset FOR EACH ROW EXECUTE FUNCTION frozen_data_never_changes();
CREATE TRIGGER frozen_dataset_is_not_updated BEFORE UPDATE ON dataset FOR EACH ROW WHEN (
    OLD.about IS NOT NULL AND (
    NEW.id IS DISTINCT FROM OLD.id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.kind IS DISTINCT FROM OLD.kind
    OR NEW.version IS DISTINCT FROM OLD.version OR NEW.frozen_at IS DISTINCT FROM OLD.frozen_at OR NEW.reason IS DISTINCT FROM OLD.reason
    OR NEW.withdrawn IS DISTINCT FROM OLD.withdrawn OR NEW.about IS DISTINCT FROM OLD.about
    OR (OLD.released_at IS NOT NULL AND (NEW.released_at IS DISTINCT FROM OLD.released_at OR NEW.struck IS DISTINCT FROM OLD.struck))
    OR (OLD.sha256 IS NOT NULL AND NEW.sha256 IS DISTINCT FROM OLD.sha256)))
    EXECUTE FUNCTION frozen_data_never_changes();

-- When a person took back the consent to answers that were counted; they are gone.
ALTER TABLE survey_case ADD COLUMN withdrawn_at BIGINT;
-- When its response was finished after the field had closed.
ALTER TABLE survey_case ADD COLUMN late_at BIGINT;
