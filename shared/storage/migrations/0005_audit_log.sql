-- What administrators did. Written in the transaction of the deed, so that there is neither a deed
-- without its line nor a line without its deed; and never changed afterwards.
CREATE TABLE audit_log (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    who          text NOT NULL CHECK (who <> ''),    -- 'administrator', 'key:ID' or 'operator'
    action       text NOT NULL CHECK (action ~ '^[a-z]+(_[a-z]+)*$'),
    subject_kind text NOT NULL CHECK (subject_kind ~ '^[a-z]+(_[a-z]+)*$'),
    subject      text NOT NULL,                      -- which one of its kind
    before       jsonb,                              -- what changed, as it was; null: there was nothing
    after        jsonb,                              -- the same, as it is now; null: it is gone
    why          text NOT NULL CHECK (why ~ '\S'),
    request_id   text NOT NULL                       -- as in the answer and the service's log
);
CREATE INDEX audit_log_subjects ON audit_log (subject_kind, subject, id DESC);
CREATE INDEX audit_log_actions ON audit_log (action, id DESC);

CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to, % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_log_append_only';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();
