import type { Postgres } from './postgres.ts'

/** Types without values, which no function of a role may take or return. */
const PSEUDO = `('internal', 'cstring', 'trigger', 'event_trigger', 'language_handler', 'index_am_handler', 'table_am_handler', 'tsm_handler', 'fdw_handler', 'any')`

/**
 * As an ordinary role with CREATE on schema public, plants a function for each function, an operator for each operator, a
 * view for each relation of pg_catalog, and a domain for each type that statements name; and, as the owner of a database
 * may, lets sessions of the database find those of `public` before those of `pg_catalog`.
 */
export async function plantHostileNames(postgres: Postgres, database: string, role: string): Promise<void> {
  await using session = await postgres.connect(database)
  for (const statement of [
    'set search_path = pg_catalog',
    `grant create, usage on schema public to ${role}`,
    `set role ${role}`,
    FUNCTIONS,
    OPERATORS,
    RELATIONS,
    DOMAINS,
    'reset role',
    `alter database "${database}" set search_path = public, pg_catalog`,
  ])
    await session.query(statement)
}

const FUNCTIONS = `do $do$
  declare f record; arguments text;
  begin
    for f in select p.oid, p.proname, p.proretset, p.prorettype::regtype::text as result, string_agg(format_type(
               case a.type when '"any"'::regtype then 'anyelement'::regtype else a.type end, null), ', ' order by a.place) as arguments,
               bool_or(t.typname in ${PSEUDO} and t.typname <> 'any') as impossible
             from pg_proc p left join unnest(p.proargtypes) with ordinality a(type, place) on true left join pg_type t on t.oid = a.type
             where p.pronamespace = 'pg_catalog'::regnamespace group by p.oid
    loop
      continue when f.impossible;
      begin
        execute format('create function public.%I(%s) returns %s %s language plpgsql as %L', f.proname, coalesce(f.arguments, ''),
          case when f.proretset then 'setof' else '' end, f.result,
          format('begin raise log %L; %s end', 'planted ' || f.proname || ' ran',
                 case when f.proretset or f.result = 'void' then 'return;' else 'return null;' end));
      exception when others then null;
      end;
    end loop;
  end $do$`

const OPERATORS = `do $do$
  declare o record; place int := 0;
  begin
    for o in select oprname, oprleft::regtype as l, oprright::regtype as r, oprresult::regtype as result from pg_operator
             where oprnamespace = 'pg_catalog'::regnamespace and oprleft <> 0
    loop
      begin
        place := place + 1;
        execute format('create function public.planted_operator_%s(%s, %s) returns %s language plpgsql as %L', place, o.l, o.r, o.result,
          format('begin raise log %L; return null; end', 'planted ' || o.oprname || ' ran'));
        execute format('create operator public.%s (leftarg = %s, rightarg = %s, procedure = public.planted_operator_%s)', o.oprname, o.l, o.r, place);
      exception when others then null;
      end;
    end loop;
  end $do$`

const RELATIONS = `do $do$
  declare c record;
  begin
    for c in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')
    loop
      begin
        execute format('create function public.planted_relation_%s() returns pg_catalog.bool language plpgsql as %L', c.relname,
          format('begin raise log %L; return true; end', 'planted ' || c.relname || ' ran'));
        execute format('create view public.%I as select * from pg_catalog.%I where public.planted_relation_%s()', c.relname, c.relname, c.relname);
      exception when others then null;
      end;
    end loop;
  end $do$`

const DOMAINS = `do $do$
  declare t text;
  begin
    foreach t in array array['text', 'name', 'oid', 'int8', 'int4', 'bool', 'regclass', 'json', 'jsonb']
    loop
      execute format('create function public.planted_type_%s() returns pg_catalog.bool language plpgsql as %L', t,
        format('begin raise log %L; return true; end', 'planted ' || t || ' ran'));
      execute format('create domain public.%I as pg_catalog.%I check (public.planted_type_%s())', t, t, t);
    end loop;
  end $do$`

/** The names of planted objects that have run, once for each time. */
export function plantedThatRan(postgres: Postgres): string[] {
  return postgres
    .log()
    .split('\n')
    .flatMap((line) => /LOG: +planted (\S+) ran/.exec(line)?.[1] ?? [])
}

/** Functions of pg_catalog that the Action's statements name in the server's log, and that were not planted. */
export async function unplantedFunctions(postgres: Postgres, database: string): Promise<string[]> {
  const statements = postgres
    .log()
    // The further lines of a statement begin with a tab.
    .split(/\n(?!\t)/)
    .filter((entry) => entry.startsWith('pgclone-action|'))
  const named = new Set(
    statements.flatMap((entry) => [...entry.matchAll(/(?<![.\w"])([a-z_]\w*)\(/g)].map((match) => match[1]!)),
  )
  if (!named.has('shobj_description')) throw new Error('The log holds no statements of the Action')
  const rows = await postgres.query<{ name: string }>(
    database,
    `select distinct p.proname::pg_catalog.text as name from pg_catalog.pg_proc p
     where p.pronamespace operator(pg_catalog.=) 11 and p.proname operator(pg_catalog.=) any ($1::pg_catalog.name[])
     except select p.proname::pg_catalog.text from pg_catalog.pg_proc p where p.pronamespace operator(pg_catalog.<>) 11`,
    [[...named]],
  )
  return rows.map(({ name }) => name)
}
