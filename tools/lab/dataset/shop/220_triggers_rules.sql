-- Triggers of every kind and rules. None of them may fire while a copy of the data is loaded.
CREATE FUNCTION app.write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.audit_trail (table_name, action, old_row, new_row)
    VALUES (TG_TABLE_NAME, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
            CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
    RETURN NULL;
END;
$$;
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'trigger % of % must not fire', TG_NAME, TG_TABLE_NAME;
END;
$$;
CREATE FUNCTION app.count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.settings SET value = to_jsonb((SELECT count(*) FROM changed)) WHERE key = 'last change';
    RETURN NULL;
END;
$$;
CREATE FUNCTION app.make_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words := to_tsvector('app.plain', coalesce(NEW.body, ''));
    RETURN NEW;
END;
$$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON app.customers FOR EACH ROW EXECUTE FUNCTION app.write_audit();
CREATE TRIGGER count_changes AFTER UPDATE ON app.products REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION app.count_statement();
CREATE TRIGGER make_words BEFORE INSERT OR UPDATE OF body ON app.documents FOR EACH ROW EXECUTE FUNCTION app.make_words();
CREATE TRIGGER "Refuse when ""odd""" BEFORE UPDATE ON "Odd Schema"."Mixed Case Table"
    FOR EACH ROW WHEN (OLD."Id" = 13) EXECUTE FUNCTION app.refuse();
CREATE TRIGGER switched_off BEFORE INSERT ON app.staff FOR EACH ROW EXECUTE FUNCTION app.refuse();
ALTER TABLE app.staff DISABLE TRIGGER switched_off;
CREATE TRIGGER on_replica_only BEFORE INSERT ON app.warehouses FOR EACH ROW EXECUTE FUNCTION app.make_words();
ALTER TABLE app.warehouses DISABLE TRIGGER on_replica_only;
CREATE CONSTRAINT TRIGGER late_check AFTER UPDATE ON app.stock DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION app.refuse();
CREATE TRIGGER on_every_partition AFTER DELETE ON app.orders FOR EACH ROW EXECUTE FUNCTION app.write_audit();
ALTER TABLE app.orders_2023 DISABLE TRIGGER on_every_partition;
CREATE FUNCTION app.insert_directory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.customers (name, email) VALUES (NEW.name, NEW.email);
    RETURN NEW;
END;
$$;
CREATE TRIGGER insert_directory INSTEAD OF INSERT ON app.customer_directory
    FOR EACH ROW EXECUTE FUNCTION app.insert_directory();

CREATE RULE protect_settings AS ON DELETE TO public.settings WHERE OLD.key = 'limits' DO INSTEAD NOTHING;
CREATE RULE log_empty AS ON INSERT TO public.empty_table
    DO ALSO INSERT INTO app.audit_trail (table_name, action) VALUES ('empty_table', 'RULE');
CREATE RULE switched_off AS ON UPDATE TO public.settings DO INSTEAD NOTHING;
ALTER TABLE public.settings DISABLE RULE switched_off;
