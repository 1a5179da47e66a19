-- The audit log is only added to: the database itself refuses anything else.
CREATE FUNCTION audit_log_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$;
CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_log_is_only_added_to();
CREATE TRIGGER audit_entries_stay BEFORE TRUNCATE ON audit_entry EXECUTE FUNCTION audit_log_is_only_added_to();
