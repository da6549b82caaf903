const ownSchemas = "nspname !~ '^pg_' and nspname <> 'information_schema'"

/**
 * Queries for everything in a schema beside the rows, each with the columns `name` and `definition`. They are run with
 * an empty search_path, so that all names in definitions are qualified. For servers of version 12 and later.
 */
export const schemaQueries = {
  schema: `select nspname as name, '' as definition from pg_namespace where ${ownSchemas}`,

  extension: 'select extname as name, extversion as definition from pg_extension',

  relation: `
    select c.oid::regclass::text as name, concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity,
      relispartition, pg_get_expr(relpartbound, c.oid), pg_get_partkeydef(c.oid), reloptions) as definition
    from pg_class c join pg_namespace n on n.oid = relnamespace where ${ownSchemas} and relkind <> 'c'`,

  column: `
    select format('%s.%I', attrelid::regclass, attname) as name, concat_ws(' ', position, format_type(atttypid, atttypmod),
      attnotnull, attidentity, attgenerated, attstorage, attcollation::regcollation,
      pg_get_expr(adbin, adrelid)) as definition
    from (
      -- Dropped columns leave gaps in the numbers, which a copy does not have.
      select *, row_number() over (partition by attrelid order by attnum) as position
      from pg_attribute where attnum > 0 and not attisdropped
    ) a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where ${ownSchemas} and relkind in ('r', 'p', 'v', 'm', 'c', 'f')`,

  constraint: `
    select format('%I on %s', conname, coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text)) as name,
      concat_ws(' ', pg_get_constraintdef(k.oid), convalidated) as definition
    from pg_constraint k join pg_namespace n on n.oid = connamespace where ${ownSchemas}`,

  index: `
    select indexrelid::regclass::text as name, concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid) as definition
    from pg_index join pg_class c on c.oid = indexrelid join pg_namespace n on n.oid = relnamespace where ${ownSchemas}`,

  view: `
    select c.oid::regclass::text as name, concat_ws(' ', pg_get_viewdef(c.oid), relispopulated) as definition
    from pg_class c join pg_namespace n on n.oid = relnamespace where ${ownSchemas} and relkind in ('v', 'm')`,

  function: `
    select p.oid::regprocedure::text as name,
      case when prokind in ('f', 'p') then pg_get_functiondef(p.oid) else concat_ws(' ', prokind, prorettype::regtype) end as definition
    from pg_proc p join pg_namespace n on n.oid = pronamespace where ${ownSchemas}`,

  trigger: `
    select format('%I on %s', tgname, tgrelid::regclass) as name, concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled) as definition
    from pg_trigger t where not tgisinternal`,

  sequence: `
    select format('%I.%I', schemaname, sequencename) as name, concat_ws(' ', data_type, start_value, min_value, max_value,
      increment_by, cycle, cache_size, 'last', last_value) as definition
    from pg_sequences where schemaname !~ '^pg_'`,

  type: `
    select t.oid::regtype::text as name, concat_ws(' ', typtype, format_type(typbasetype, typtypmod), typnotnull, typdefault,
      (select string_agg(quote_literal(enumlabel), ',' order by enumsortorder) from pg_enum where enumtypid = t.oid),
      (select rngsubtype::regtype from pg_range where rngtypid = t.oid)) as definition
    from pg_type t join pg_namespace n on n.oid = typnamespace where ${ownSchemas}`,

  policy: `
    select format('%I on %I.%I', policyname, schemaname, tablename) as name,
      concat_ws(' ', permissive, roles, cmd, qual, with_check) as definition
    from pg_policies`,

  statistics: `
    select format('%I.%I', nspname, stxname) as name, pg_get_statisticsobjdef(s.oid) as definition
    from pg_statistic_ext s join pg_namespace n on n.oid = stxnamespace`,

  comment: `
    select format('on %s %s', i.type, i.identity) as name, description as definition
    from pg_description, pg_identify_object(classoid, objoid, objsubid) i
    where objoid >= 16384 and classoid <> 'pg_extension'::regclass`,

  'large object': 'select oid::text as name, md5(lo_get(oid)) as definition from pg_largeobject_metadata',

  publication: 'select pubname as name, puballtables::text as definition from pg_publication',

  ownersAndGrants: `
    select format('of %s %s', i.type, i.identity) as name, concat_ws(' ', o.owner::regrole, o.acl) as definition
    from (
      select 'pg_class'::regclass as class, oid, relowner as owner, relacl as acl from pg_class
      union all select 'pg_proc'::regclass, oid, proowner, proacl from pg_proc
      union all select 'pg_namespace'::regclass, oid, nspowner, nspacl from pg_namespace
    ) o, pg_identify_object(o.class, o.oid, 0) i
    where o.oid >= 16384 and i.schema is distinct from 'pg_toast'`,
}
