-- Partitioned tables.
-- case: partition_tree
CREATE SCHEMA IF NOT EXISTS partition_tree_elsewhere;
CREATE TABLE p (id int NOT NULL, gone text, at date NOT NULL, region text, v numeric DEFAULT 1.5) PARTITION BY RANGE (at);
ALTER TABLE p DROP COLUMN gone;
CREATE TABLE p_2020 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
-- Other order of columns, a dropped column, a constraint of its own.
CREATE TABLE p_2021 (v numeric, region text, x int, at date NOT NULL, id int NOT NULL);
ALTER TABLE p_2021 DROP COLUMN x;
ALTER TABLE p ATTACH PARTITION p_2021 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER TABLE p_2021 ADD CHECK (id > 0), ALTER v SET DEFAULT 9;
CREATE TABLE partition_tree_elsewhere.p_2022 PARTITION OF p FOR VALUES FROM ('2022-01-01') TO ('2023-01-01') PARTITION BY LIST (region);
CREATE TABLE p_2022_eu PARTITION OF partition_tree_elsewhere.p_2022 FOR VALUES IN ('eu', NULL);
CREATE TABLE p_2022_rest PARTITION OF partition_tree_elsewhere.p_2022 DEFAULT PARTITION BY HASH (id);
CREATE TABLE p_2022_rest_0 PARTITION OF p_2022_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p_2022_rest_1 PARTITION OF p_2022_rest FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE p_default PARTITION OF p DEFAULT;
CREATE TABLE p_empty PARTITION OF p FOR VALUES FROM ('2030-01-01') TO (MAXVALUE);
CREATE INDEX p_v ON p (v, lower(region));
CREATE UNIQUE INDEX ON p_2020 (id);
INSERT INTO p (id, at, region, v) SELECT g, '2019-06-01'::date + g * 12, (ARRAY['eu', 'us', NULL, 'asia'])[g % 4 + 1], g / 7.0
  FROM generate_series(1, 150) g;
CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER after_p AFTER INSERT ON p FOR EACH ROW EXECUTE PROCEDURE noop();
-- look
SELECT tableoid::regclass::text, count(*), sum(v), min(region), max(at) FROM p GROUP BY 1 ORDER BY 1
-- look
SELECT c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid), h.inhparent::regclass::text
  FROM pg_class c LEFT JOIN pg_inherits h ON h.inhrelid = c.oid WHERE c.relname ~ '^p(_|$)' AND c.relkind IN ('r', 'p')
   AND c.relnamespace::regnamespace::text ~ '^partition_tree' ORDER BY 1
-- look
SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attrelid IN ('p'::regclass, 'p_2021'::regclass) AND attnum > 0
   AND NOT attisdropped ORDER BY 1, attnum
-- case: partition_keys
CREATE TABLE k (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE k_1 PARTITION OF k FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE k_2 (at date NOT NULL, id int NOT NULL, CONSTRAINT own_name PRIMARY KEY (id, at));
ALTER TABLE k ATTACH PARTITION k_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO k SELECT g, '2020-01-01'::date + g FROM generate_series(1, 700) g;
CREATE INDEX only_parent ON ONLY k (at);
CREATE INDEX k_1_at ON k_1 (at);
ALTER INDEX only_parent ATTACH PARTITION k_1_at;
-- look
SELECT c.relname, i.indisvalid, h.inhparent::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  LEFT JOIN pg_inherits h ON h.inhrelid = c.oid WHERE c.relnamespace = 'partition_keys'::regnamespace ORDER BY 1
-- look
SELECT tableoid::regclass::text, count(*) FROM k GROUP BY 1 ORDER BY 1
-- case: partition_references (from 12)
CREATE TABLE r (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE r_1 PARTITION OF r FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE r_2 PARTITION OF r FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE referring (id int PRIMARY KEY, r_id int, r_at date, parent int REFERENCES referring,
  FOREIGN KEY (r_id, r_at) REFERENCES r DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE referring_too (id int, r_id int, r_at date, FOREIGN KEY (r_id, r_at) REFERENCES r ON DELETE CASCADE) PARTITION BY LIST (id);
CREATE TABLE referring_too_1 PARTITION OF referring_too FOR VALUES IN (1);
CREATE TABLE referring_too_rest PARTITION OF referring_too DEFAULT;
INSERT INTO r SELECT g, '2020-01-01'::date + g, 'v' FROM generate_series(1, 600) g;
INSERT INTO referring SELECT id, id, at, nullif(id - 1, 0) FROM r WHERE id < 100 ORDER BY id;
INSERT INTO referring_too SELECT id % 3, id, at FROM r;
-- look
SELECT conrelid::regclass::text, confrelid::regclass::text, convalidated, condeferred, confdeltype, count(*) FROM pg_constraint
 WHERE contype = 'f' AND connamespace = 'partition_references'::regnamespace GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2
-- case: hash_by_enum
CREATE TYPE colour AS ENUM ('red', 'green', 'blue', 'black');
CREATE TABLE h (id int, c colour, t text) PARTITION BY HASH (c);
CREATE TABLE h0 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE h1 (t text, c colour, id int);
ALTER TABLE h ATTACH PARTITION h1 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE h2 PARTITION OF h FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO h SELECT g, (ARRAY['red', 'green', 'blue', 'black', NULL])[g % 5 + 1]::colour, md5(g::text) FROM generate_series(1, 200) g;
-- look
SELECT c, count(*), sum(hashtext(t)::bigint) FROM h GROUP BY 1 ORDER BY 1
-- perhaps: rows-in-other-partition | hash_by_enum.h0
-- perhaps: rows-in-other-partition | hash_by_enum.h1
-- perhaps: rows-in-other-partition | hash_by_enum.h2
