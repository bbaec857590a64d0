-- Schemas and extensions. Runs as app_owner, who owns the database; all extensions are trusted ones.
SET client_min_messages = warning;
CREATE SCHEMA app;
CREATE SCHEMA crm;
CREATE SCHEMA extensions;
CREATE SCHEMA "Odd Schema";
CREATE EXTENSION pgcrypto WITH SCHEMA extensions;
CREATE EXTENSION citext WITH SCHEMA extensions;
CREATE EXTENSION hstore WITH SCHEMA extensions;
CREATE EXTENSION pg_trgm WITH SCHEMA public;
SET search_path = pg_catalog;
