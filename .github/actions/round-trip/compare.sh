#!/usr/bin/env bash
# Compares the rows of every table of two databases, by count and by hash: compare.sh URL URL
set -euo pipefail

contents() {
  psql "$1" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 <<'SQL'
SELECT format($$SELECT %L, count(*), md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM %I.%I AS t$$,
              c.oid::regclass, n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY n.nspname, c.relname
\gexec
SQL
}

source=$(contents "$1")
target=$(contents "$2")
echo "$source"
if [[ $(wc -l <<<"$source") -lt 10 ]]; then
  echo "The source has too few tables to compare" >&2
  exit 1
fi
if [[ $source != "$target" ]]; then
  # Small images do not have diff.
  comm -3 <(sort <<<"$source") <(sort <<<"$target") >&2
  exit 1
fi
echo "Both databases have the same rows"
