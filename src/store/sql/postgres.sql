-- The functions of SQLite that the statements use, for PostgreSQL. Run at each start, so a function is changed here.

-- A value of a JSON document. `place` is a key, or a path from its root ('$.body.to'). True and false are 1 and 0.
CREATE OR REPLACE FUNCTION sqlite_json_text(document TEXT, place TEXT) RETURNS TEXT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT CASE found WHEN 'true' THEN CASE json_typeof(document::json #> path) WHEN 'boolean' THEN '1' ELSE found END
                      WHEN 'false' THEN CASE json_typeof(document::json #> path) WHEN 'boolean' THEN '0' ELSE found END
                      ELSE found END
    FROM (SELECT document::json #>> path AS found, path
          FROM (SELECT CASE WHEN place LIKE '$.%' THEN string_to_array(substr(place, 3), '.') ELSE ARRAY[place] END AS path) AS p) AS f
$$;

CREATE OR REPLACE FUNCTION sqlite_json_text(document TEXT, place INTEGER) RETURNS TEXT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT sqlite_json_text(document, place::text) $$;

DO $$ BEGIN
    IF to_regoperator('->>(text,text)') IS NULL THEN
        CREATE OPERATOR ->> (LEFTARG = TEXT, RIGHTARG = TEXT, FUNCTION = sqlite_json_text);
    END IF;
    IF to_regoperator('->>(text,integer)') IS NULL THEN
        CREATE OPERATOR ->> (LEFTARG = TEXT, RIGHTARG = INTEGER, FUNCTION = sqlite_json_text);
    END IF;
END $$;

-- The elements of a JSON array: texts without their quotes, all else as JSON.
CREATE OR REPLACE FUNCTION json_each(document TEXT) RETURNS TABLE (value TEXT)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT ROWS 20 AS $$
    SELECT json_array_elements_text(document::json)
$$;

-- The elements of the array at a path; none if there is no such array.
CREATE OR REPLACE FUNCTION json_each(document TEXT, place TEXT) RETURNS TABLE (value TEXT)
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT ROWS 20 AS $$
    SELECT json_array_elements_text(CASE json_typeof(found) WHEN 'array' THEN found ELSE '[]'::json END)
    FROM (SELECT document::json #> string_to_array(substr(place, 3), '.') AS found) AS f
$$;

-- The document with the value at a top-level key replaced.
CREATE OR REPLACE FUNCTION json_set(document TEXT, place TEXT, became JSON) RETURNS TEXT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_set(document::jsonb, string_to_array(substr(place, 3), '.'), became::jsonb)::text
$$;

-- A text that is JSON.
CREATE OR REPLACE FUNCTION "json"(document TEXT) RETURNS JSON
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT document::json $$;

-- The greater and the lesser of two; null if either is null.
CREATE OR REPLACE FUNCTION max(a BIGINT, b BIGINT) RETURNS BIGINT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT CASE WHEN a >= b THEN a ELSE b END $$;
CREATE OR REPLACE FUNCTION min(a BIGINT, b BIGINT) RETURNS BIGINT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT CASE WHEN a <= b THEN a ELSE b END $$;

-- Where `part` begins in `whole`, counted from 1; 0 if it does not occur.
CREATE OR REPLACE FUNCTION instr(whole TEXT, part TEXT) RETURNS BIGINT
LANGUAGE SQL IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT strpos(whole, part)::bigint $$;

-- Seconds since 1970, whatever `precision` is asked for.
CREATE OR REPLACE FUNCTION unixepoch(precision_wanted TEXT) RETURNS DOUBLE PRECISION
LANGUAGE SQL VOLATILE AS $$ SELECT extract(epoch FROM clock_timestamp())::double precision $$;
