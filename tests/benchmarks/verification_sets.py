# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data sets that verification is measured on; the same statements make the same rows on every server."""

from __future__ import annotations

NARROW = """
CREATE TABLE {name} (id bigint PRIMARY KEY, a int, b text, at timestamptz, amount numeric(12,2));
INSERT INTO {name} SELECT g, g % 1000, 'customer ' || g % 5000, timestamptz '2020-01-01 UTC' + g * interval '1 second',
  g % 100000 / 7.0 FROM generate_series(1, {rows}) g;
"""

MIXED = """
CREATE TABLE {name} (
  id bigint PRIMARY KEY, public_id uuid, price numeric(12,2), weight double precision, ratio real, profile jsonb,
  name text, note text, image bytea, created timestamptz, day date, number int, small smallint, flag boolean, raw json);
INSERT INTO {name} SELECT g, md5('c' || g)::uuid, g % 10000 / 7.0, g / 3.0, g / 7.0::real,
  jsonb_build_object('age', g % 90, 'city', md5((g % 500)::text), 'flags', jsonb_build_array(g % 3, g % 5)),
  'Customer ' || g, md5(g::text) || ' ' || md5((g + 1)::text), sha256(g::text::bytea),
  timestamptz '2020-01-01 UTC' + g * interval '1 minute', date '2020-01-01' + g % 3000, g % 77777, g % 30000,
  g % 3 = 0, ('[' || g || ', "' || md5((g * 7)::text) || '"]')::json FROM generate_series(1, {rows}) g;
"""

TOAST = """
CREATE TABLE {name} (id int PRIMARY KEY, prose text, image bytea);
ALTER TABLE {name} ALTER prose SET STORAGE EXTERNAL, ALTER image SET STORAGE EXTERNAL;
INSERT INTO {name} SELECT g, (SELECT string_agg(md5((g * 131 + s)::text), '') FROM generate_series(1, 128) s),
  (SELECT string_agg(sha256((g || '-' || s)::bytea), ''::bytea) FROM generate_series(1, 128) s)
  FROM generate_series(1, {rows}) g;
"""

SMALL_TABLES = """
CREATE SCHEMA many;
DO $$
BEGIN
  FOR i IN 1..{tables} LOOP
    EXECUTE format('CREATE TABLE many.t%s (id serial PRIMARY KEY, label text, amount int)', i);
    EXECUTE format('INSERT INTO many.t%s (label, amount) SELECT md5(g::text), g FROM generate_series(1, 100) g', i);
    IF i % 200 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
"""

TITLES = {
    "narrow": "1 M narrow rows",
    "mixed": "250 k mixed rows of 15 columns",
    "toast": "6 k rows of 8 kB outside the table",
    "small": "5,000 small tables",
    "large": "a mixed database of about 2 GB",
}
# The tables whose backend cost is compared with COPY; many tables are judged by wall time only.
TABLES = {"narrow": ["n"], "mixed": ["w"], "toast": ["t"], "small": [], "large": ["w1", "n1", "t1"]}


def statements(name: str, scale: float) -> str:
    """Return the SQL that makes data set I(name)."""

    def count(number: int) -> int:
        return max(1, int(number * scale))

    if name == "narrow":
        return NARROW.format(name="n", rows=count(1_000_000))
    if name == "mixed":
        return MIXED.format(name="w", rows=count(250_000))
    if name == "toast":
        return TOAST.format(name="t", rows=count(6_000))
    if name == "small":
        return SMALL_TABLES.replace("{tables}", str(count(5_000)))
    parts = [MIXED.format(name=f"w{number}", rows=count(rows)) for number, rows in ((1, 1_600_000), (2, 800_000))]
    parts += [NARROW.format(name=f"n{number}", rows=count(rows)) for number, rows in ((1, 4_000_000), (2, 1_500_000))]
    parts += [TOAST.format(name="t1", rows=count(45_000)), SMALL_TABLES.replace("{tables}", str(count(200)))]
    return "".join(parts)
