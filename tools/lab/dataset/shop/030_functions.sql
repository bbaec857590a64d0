-- Functions that tables, indexes and constraints need; an aggregate and an operator.
CREATE FUNCTION app.sample_bytes(seed text, length integer) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT coalesce(substring(string_agg(sha512(convert_to(seed || ':' || block, 'UTF8')), ''::bytea ORDER BY block)
                              FROM 1 FOR length), ''::bytea)
    FROM generate_series(1, (length + 63) / 64) AS block
$$;

CREATE FUNCTION app.sample_text(seed integer, words integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT string_agg((ARRAY['harbour', 'lantern', 'copper', 'meadow', 'violet', 'engine', 'paper', 'thunder', 'silver',
        'garden', 'walnut', 'compass', 'ribbon', 'granite', 'candle', 'orchard', 'saddle', 'marble', 'feather', 'anchor',
        'Ærø', 'naïve', 'Straße', '東京', 'жизнь', '🚀'])[1 + abs(hashint4(seed * 31 + word)) % 26],
        ' ' ORDER BY word)
    FROM generate_series(1, words) AS word
$$;

-- Used in an expression index.
CREATE FUNCTION app.normal_name(name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN lower(btrim(regexp_replace(name, '\s+', ' ', 'g')));

-- Used in a check constraint.
CREATE FUNCTION app.is_valid_sku(sku text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
BEGIN
    RETURN sku ~ '^[A-Z]{2}-[0-9]{6}$';
END;
$_$;

-- Without a schema in its body: works only with the search_path that it carries.
CREATE FUNCTION app.with_tax(amount numeric, rate numeric DEFAULT 0.25) RETURNS numeric
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'app', 'pg_catalog'
    AS 'SELECT round(amount * (1 + rate), 2)';

CREATE FUNCTION app.median_step(state numeric[], value numeric) RETURNS numeric[]
    LANGUAGE sql IMMUTABLE
    AS $$SELECT CASE WHEN value IS NULL THEN state ELSE array_append(state, value) END$$;
CREATE FUNCTION app.median_final(state numeric[]) RETURNS numeric
    LANGUAGE sql IMMUTABLE
    AS $$SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY value) FROM unnest(state) AS value$$;
CREATE AGGREGATE app.median(numeric) (
    SFUNC = app.median_step,
    STYPE = numeric[],
    INITCOND = '{}',
    FINALFUNC = app.median_final
);

CREATE FUNCTION app.same_ignoring_case(one text, two text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT
    AS $$SELECT lower(one) = lower(two)$$;
CREATE OPERATOR app.=~~= (
    LEFTARG = text,
    RIGHTARG = text,
    FUNCTION = app.same_ignoring_case,
    COMMUTATOR = OPERATOR(app.=~~=)
);

CREATE FUNCTION app.region_to_text(app.region) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE $1 WHEN 'north' THEN 'N' WHEN 'south' THEN 'S' WHEN 'east' THEN 'E' WHEN 'west' THEN 'W' ELSE 'C' END
$$;
CREATE TEXT SEARCH CONFIGURATION app.plain (COPY = pg_catalog.simple);
