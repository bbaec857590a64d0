-- Text search.
-- case: text_search
CREATE TEXT SEARCH DICTIONARY short_words (TEMPLATE = simple, STOPWORDS = english, ACCEPT = false);
CREATE TEXT SEARCH DICTIONARY snow (TEMPLATE = pg_catalog.snowball, LANGUAGE = german);
CREATE TEXT SEARCH CONFIGURATION own (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION own ALTER MAPPING FOR asciiword, word WITH short_words, snow;
ALTER TEXT SEARCH CONFIGURATION own DROP MAPPING FOR url;
CREATE TABLE d (body text, v tsvector, q tsquery);
INSERT INTO d VALUES ('the quick foxes', to_tsvector('text_search.own', 'the quick foxes'), to_tsquery('simple', 'a & b:*'));
CREATE INDEX ON d USING gin (to_tsvector('text_search.own', body));
COMMENT ON TEXT SEARCH CONFIGURATION own IS 'a configuration';
COMMENT ON TEXT SEARCH DICTIONARY snow IS 'a dictionary';
-- look
SELECT cfgname, (SELECT string_agg(m.maptokentype || ':' || m.mapdict::regdictionary, ',' ORDER BY m.maptokentype, m.mapseqno)
  FROM pg_ts_config_map m WHERE m.mapcfg = c.oid), obj_description(oid, 'pg_ts_config') FROM pg_ts_config c WHERE cfgnamespace = 'text_search'::regnamespace
-- look
SELECT dictname, dictinitoption, obj_description(oid, 'pg_ts_dict') FROM pg_ts_dict WHERE dictnamespace = 'text_search'::regnamespace ORDER BY 1
-- look
SELECT v, q, to_tsvector('text_search.own', body) FROM d
