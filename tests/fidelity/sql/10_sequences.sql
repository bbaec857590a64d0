-- Sequences.
-- case: sequences
CREATE SEQUENCE never_called START 42;
CREATE SEQUENCE set_not_called;
SELECT setval('set_not_called', 17, false);
CREATE SEQUENCE called INCREMENT 5 CACHE 20;
SELECT nextval('called');
CREATE SEQUENCE downwards INCREMENT -3 MINVALUE -1000 MAXVALUE 10 START 5 CYCLE;
SELECT nextval('downwards'), nextval('downwards');
CREATE SEQUENCE small AS smallint MINVALUE -5 START -5;
CREATE SEQUENCE at_the_end MAXVALUE 3;
SELECT setval('at_the_end', 3);
CREATE SEQUENCE at_the_edge MINVALUE -9223372036854775808 START -9223372036854775808;
CREATE TABLE owning (id serial, other int);
CREATE SEQUENCE owned OWNED BY owning.other;
ALTER TABLE owning ALTER other SET DEFAULT nextval('owned') + 1;
INSERT INTO owning DEFAULT VALUES;
CREATE TABLE shares (id int DEFAULT nextval('owned'));
COMMENT ON SEQUENCE called IS 'a sequence';
-- look
SELECT seqrelid::regclass::text, seqtypid::regtype::text, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle, s.last_value
  FROM pg_sequence JOIN pg_sequences s ON s.schemaname = 'sequences' AND s.sequencename = seqrelid::regclass::text
 WHERE seqrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'sequences'::regnamespace) ORDER BY 1
-- look
SELECT (SELECT last_value || is_called::text FROM never_called), (SELECT last_value || is_called::text FROM set_not_called),
  (SELECT last_value || is_called::text FROM called), (SELECT last_value || is_called::text FROM downwards),
  (SELECT last_value || is_called::text FROM at_the_end), (SELECT last_value || is_called::text FROM owning_id_seq),
  pg_get_serial_sequence('owning', 'other')
-- case: unlogged_sequences (from 15)
CREATE UNLOGGED SEQUENCE u;
SELECT nextval('u');
-- look
SELECT relpersistence, (SELECT last_value FROM u) FROM pg_class WHERE oid = 'u'::regclass
