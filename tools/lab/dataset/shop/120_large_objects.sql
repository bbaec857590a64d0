-- Sixty large objects, a few of them of one to three megabytes, with owners, a grant and comments.
SELECT greatest(20000, (1048576 * least(:scale, 1.0))::integer) AS megabyte \gset
INSERT INTO app.attachments
SELECT n, format('file "%s".pdf', n), lo_from_bytea(0, content), length(content), sha256(content)
FROM generate_series(1, 60) AS n,
     LATERAL (SELECT CASE WHEN n % 20 = 0 THEN app.sample_bytes('large' || n, :megabyte * (n / 20) + 17)
                          WHEN n = 7 THEN ''::bytea
                          ELSE app.sample_bytes('large' || n, n * 137) END) AS made(content);
DO $$
DECLARE
    attachment record;
BEGIN
    FOR attachment IN SELECT * FROM app.attachments ORDER BY id LOOP
        IF attachment.id % 10 = 0 THEN
            EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', attachment.content, 'Scan of "' || attachment.file_name || '"');
        END IF;
        IF attachment.id % 6 = 0 THEN
            EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO app_read', attachment.content);
        END IF;
        IF attachment.id % 15 = 0 THEN
            EXECUTE format('GRANT SELECT, UPDATE ON LARGE OBJECT %s TO alice WITH GRANT OPTION', attachment.content);
        END IF;
        IF attachment.id = 8 THEN
            EXECUTE format('ALTER LARGE OBJECT %s OWNER TO app_write', attachment.content);
        END IF;
    END LOOP;
END;
$$;
