-- Names that no sane person would choose, in every place where a name can stand.
-- case: odd_names
CREATE TABLE "new
line" ("col
umn" int PRIMARY KEY, "quo""te" text DEFAULT 'x''y', "back\slash" text, "Zoë 東京 🐘" text);
INSERT INTO "new
line" VALUES (1, 'a', 'b\', 'c'), (2, NULL, '', E'\n');
CREATE TABLE "quo""te" (id int, "a;b" text);
CREATE INDEX "in
dex" ON "quo""te" ("a;b");
INSERT INTO "quo""te" VALUES (1, 'x');
CREATE TABLE "back\slash" (id int);
INSERT INTO "back\slash" VALUES (3);
CREATE TABLE "Zoë 東京 🐘" (id serial);
INSERT INTO "Zoë 東京 🐘" VALUES (4);
CREATE TABLE "x; Type: TABLE; Schema: y; Owner: z" (id int);
INSERT INTO "x; Type: TABLE; Schema: y; Owner: z" VALUES (5);
CREATE TABLE " TO other_owner" (id int);
GRANT SELECT ON " TO other_owner" TO other_owner;
GRANT SELECT, INSERT ON "new
line" TO other_owner WITH GRANT OPTION;
CREATE VIEW "vi
ew" AS SELECT * FROM "new
line";
CREATE FUNCTION "fun
ction"("ar""g" int) RETURNS int LANGUAGE sql AS 'SELECT 1';
COMMENT ON TABLE "new
line" IS 'a
comment; -- with
-- Name: lines; Type: TABLE; Schema: x; Owner: y
\connect nowhere
';
-- look
SELECT c.relname, c.relkind, pg_get_userbyid(c.relowner), obj_description(c.oid, 'pg_class'),
  (SELECT string_agg(concat_ws(' ', a.grantee::regrole, a.privilege_type, a.is_grantable), ',' ORDER BY a.grantee::regrole::text, a.privilege_type)
     FROM aclexplode(c.relacl) a WHERE a.privilege_type <> 'MAINTAIN')
  FROM pg_class c WHERE c.relnamespace = 'odd_names'::regnamespace ORDER BY c.relname::text COLLATE "C";
-- look
SELECT *, 'new line' FROM "new
line" ORDER BY 1
-- look
SELECT (SELECT sum(id) FROM "back\slash"), (SELECT sum(id) FROM "Zoë 東京 🐘"),
  (SELECT sum(id) FROM "x; Type: TABLE; Schema: y; Owner: z"), (SELECT count(*) FROM "quo""te")
-- case: odd_schemas (as superuser)
CREATE SCHEMA "sch
ema" AUTHORIZATION other_owner;
CREATE TABLE "sch
ema".t (id int PRIMARY KEY, "t" text);
ALTER TABLE "sch
ema".t OWNER TO app_owner;
INSERT INTO "sch
ema".t VALUES (1, 'x');
CREATE SCHEMA "quo""te; Owner: nobody" AUTHORIZATION app_owner;
CREATE TABLE "quo""te; Owner: nobody"."a""b" (id serial PRIMARY KEY);
ALTER TABLE "quo""te; Owner: nobody"."a""b" OWNER TO app_owner;
INSERT INTO "quo""te; Owner: nobody"."a""b" DEFAULT VALUES;
CREATE SCHEMA "Ünï\cødé 🐘" AUTHORIZATION app_owner;
CREATE TYPE "Ünï\cødé 🐘"."Ty""pe" AS ENUM ('a''b', 'c"d', 'e\f', 'g
h', '');
ALTER TYPE "Ünï\cødé 🐘"."Ty""pe" OWNER TO app_owner;
CREATE TABLE "Ünï\cødé 🐘"."t" (v "Ünï\cødé 🐘"."Ty""pe", a "Ünï\cødé 🐘"."Ty""pe"[]);
ALTER TABLE "Ünï\cødé 🐘"."t" OWNER TO app_owner;
INSERT INTO "Ünï\cødé 🐘"."t" VALUES ('a''b', '{"c\"d","e\\f"}'), ('', '{""}');
-- look
SELECT n.nspname, pg_get_userbyid(n.nspowner), c.relname, pg_get_userbyid(c.relowner) FROM pg_namespace n
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' WHERE n.nspname ~ '^(sch|quo|Ün)' ORDER BY 1, 3
-- look
SELECT (SELECT id FROM "quo""te; Owner: nobody"."a""b"), (SELECT string_agg(v || a::text, '|' ORDER BY v) FROM "Ünï\cødé 🐘"."t"),
  (SELECT t FROM "sch
ema".t)
-- case: longest_names
CREATE TABLE "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" (
  "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" serial PRIMARY KEY,
  "ééééééééééééééééééééééééééééééé" text UNIQUE,
  CONSTRAINT "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" CHECK (
    "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" > 0));
INSERT INTO "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt" DEFAULT VALUES;
CREATE VIEW "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttv" AS
  SELECT * FROM "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt";
-- look
SELECT relname, length(relname::text) FROM pg_class WHERE relnamespace = 'longest_names'::regnamespace ORDER BY relname::text COLLATE "C"
-- look
SELECT * FROM "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttv"
-- case: keywords
CREATE TABLE "select" ("from" int, "user" text, "order" int PRIMARY KEY, "PUBLIC" text);
INSERT INTO "select" VALUES (1, 'u', 2, 'p');
CREATE FUNCTION "table"("end" int) RETURNS int LANGUAGE sql AS 'SELECT "end"';
-- look
SELECT *, "table"("from") FROM "select"
