-- Types: enums, domains, composites, ranges.
CREATE TYPE app.order_status AS ENUM ('new', 'paid', 'packed', 'shipped', 'returned', 'Cancelled "late"', 'l''été');
CREATE TYPE app.region AS ENUM ('north', 'south', 'east', 'west');
-- A value added in the middle gives the enum a fractional sort position.
ALTER TYPE app.region ADD VALUE 'centre' BEFORE 'east';
CREATE TYPE "Odd Schema"."Colour Of Thing" AS ENUM ('Rød', 'grün', 'blue''s');

CREATE DOMAIN app.positive_amount AS numeric(12,2) DEFAULT 0 NOT NULL
    CONSTRAINT not_negative CHECK (VALUE >= 0);
CREATE DOMAIN app.email_address AS extensions.citext
    CONSTRAINT has_at_sign CHECK (VALUE OPERATOR(extensions.~) '^[^@ ]+@[^@ ]+$');
CREATE DOMAIN app.short_code AS varchar(12) COLLATE "C" CHECK (VALUE ~ '^[A-Z0-9-]+$');
CREATE DOMAIN app.short_codes AS app.short_code[] CHECK (cardinality(VALUE) <= 5);

CREATE TYPE app.postal_address AS (
    street text,
    city text,
    postal_code varchar(10),
    country character(2)
);
CREATE TYPE app.weight_range AS RANGE (subtype = double precision, subtype_diff = float8mi);
CREATE TYPE app.money_amount AS (amount numeric(14,2), currency character(3));
