import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Postgres } from './postgres.ts'

/** The name of the mask file of `makePersonalData` in a workspace. */
export const MASK_FILE = 'masks.yml'

/** Is part of every text that must not leave the server. */
const RAW = 'Ra7w'

/** Everything that must not leave the server, or a part of it. */
export const RAW_VALUES = [
  RAW,
  RAW.toLowerCase(),
  'dräkt9',
  '+49 171 5550199',
  '1971-03-14',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '987650123',
]

/** Passwords in the schema, which a masked dump leaves out. */
export const SECRETS = ['mapping-password-4711', 'subscription-password-4711']

/** Values that are kept, so a search that works finds them. */
export const KEPT_VALUES = ['kept-country', 'kept-rôle']

/** Rows of the table `log`, one a page, so that it has more pages than one query reads. */
const LOG_ROWS = 600

/**
 * Creates a database in which nearly every column is personal: natural keys through three tables, a composite key,
 * partitions and children whose columns have another order, awkward names, citext, domains, arrays, generated and identity
 * columns, dropped columns, an empty table, a table without columns and a very wide one, a materialized view, large
 * objects, a user mapping and a subscription.
 */
export async function makePersonalData(postgres: Postgres, database: string): Promise<void> {
  await postgres.createDatabase(database, `template template0 encoding 'UTF8'`)
  await postgres.psql(database, SCHEMA)
  await postgres.psql(database, ROWS)
}

/** Writes the mask file of such a database into a workspace. */
export function writeMaskFile(workspace: string, text: string = MASKS): void {
  writeFileSync(join(workspace, MASK_FILE), text)
}

/** Columns of the table `wide`, of which each ninth has a value. */
const WIDTH = 300

const SCHEMA = `
  create extension citext;
  create schema "Höhe ""x""";
  create domain contact as varchar(80) check (value like '%@%');
  create domain handle as contact not null;
  create table persons (
    gone text, id int generated always as identity primary key, national_id varchar(40) not null unique, email handle unique,
    nick citext not null unique, full_name text, phone varchar(30), bio text, born date, tags text[], photo bytea, settings jsonb,
    ref uuid unique, number bigint, role text not null default 'kept-rôle', folded text generated always as (lower(full_name)) stored,
    checked text check (checked <> ''), period int4range, exclude using gist (period with &&));
  alter table persons drop column gone;
  create unique index on persons (lower(email::text));
  create table contracts (id serial primary key, person varchar(40) not null unique references persons (national_id), text text);
  create table payments (
    id bigserial primary key, person varchar(20) references contracts (person) on delete cascade deferrable initially deferred, amount numeric(10, 2),
    payer int references persons (id));
  create table passports (country text not null, number char(24) not null, holder text, primary key (country, number));
  create table visas (
    id int primary key, country text, passport varchar(24), nick citext references persons (nick),
    foreign key (country, passport) references passports (country, number) match full);
  create table events (at date not null, email contact, note text, primary key (at, email)) partition by range (at);
  create table events_1 (note text, gone int, email contact not null, at date not null);
  alter table events_1 drop column gone;
  alter table events attach partition events_1 for values from ('2020-01-01') to ('2021-01-01');
  create table events_2 partition of events for values from ('2021-01-01') to ('2022-01-01') partition by hash (at);
  create table "Events 2 ""b""" partition of events_2 for values with (modulus 1, remainder 0);
  create table animals (name text not null, owner text);
  create table dogs (chip text not null) inherits (animals);
  create table cats (owner text, name text not null, chip text);
  alter table cats inherit animals;
  create table "Höhe ""x"""."Maße ""é""" ("Größe" text, "select" text, "a.b" text primary key, "Mixed Case" varchar(50));
  create table empty_one (secret text not null);
  create table no_columns ();
  create table sessions (id int primary key, token text unique, person int references persons (id));
  create table countries (code text primary key, name text);
  create table log (id bigint primary key, line text) with (fillfactor = 10);
  create unlogged table cache (id int, person text);
  create materialized view mails as select email, count(*) as people from persons group by email with data;
  create unique index on mails (email);
  create view names as select full_name from persons;
  create foreign data wrapper nowhere;
  create server elsewhere foreign data wrapper nowhere;
  create user mapping for current_user server elsewhere options (user 'remote', password '${SECRETS[0]}');
  create subscription mirror connection 'host=127.0.0.1 port=1 password=${SECRETS[1]}' publication p
    with (connect = false, enabled = false, slot_name = none);
  do $do$ begin execute (
    select 'create table wide (id int primary key, ' || string_agg('c' || n || ' text', ', ') || ')' from generate_series(1, ${WIDTH}) n);
  end $do$;`

const ROWS = `
  insert into persons (national_id, email, nick, full_name, phone, bio, born, tags, photo, settings, ref, number, checked, period)
    select '${RAW}-id-' || n, 'mail.' || n || '@${RAW}.kunden-post.de', '${RAW}Nick' || n, 'dräkt9 ' || n || ' ${RAW}', '+49 171 5550199',
      E'${RAW}\\tline\\nnext \\\\' || n, '1971-03-14', array['${RAW}', 'x "y"', null], convert_to('${RAW}', 'UTF8'),
      jsonb_build_object('theme', 'dark', 'mail', jsonb_build_object('to', '${RAW}', 'on', n % 2 = 0)),
      case when n > 1 then md5(n::text)::uuid else 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' end, 987650123, '${RAW}',
      int4range(n, n + 1)
    from generate_series(1, 300) n;
  insert into persons (national_id, email, nick) values ('${RAW}-nulls', 'nulls@${RAW}.kunden-post.de', '${RAW}nulls');
  insert into contracts (person, text) select national_id, '${RAW}' from persons where id % 2 = 0;
  insert into payments (person, amount, payer) select person, id, id from contracts, generate_series(1, 3);
  insert into payments (amount) values (1);
  insert into passports select 'kept-country' || n % 3, '${RAW}' || n, '${RAW} holder' from generate_series(1, 50) n;
  insert into visas select row_number() over (), country, number, '${RAW}NICK' || row_number() over () from passports;
  insert into visas values (1000, null, null, null);
  insert into events select date '2020-02-01' + (n % 600), 'mail.' || n || '@${RAW}.kunden-post.de', '${RAW}' from generate_series(1, 200) n;
  insert into animals values ('Rex', '${RAW}');
  insert into dogs values ('Fifi', '${RAW}', '${RAW}-chip');
  insert into cats values ('${RAW}', 'Mia', null);
  insert into "Höhe ""x"""."Maße ""é""" select '${RAW}' || n, '${RAW} select', '${RAW}-key-' || n, null from generate_series(1, 20) n;
  insert into no_columns select from generate_series(1, 3);
  insert into sessions select id, '${RAW}' || id, id from persons;
  insert into countries values ('kept-country0', 'Zero');
  insert into log select n, '${RAW}' || repeat(md5(n::text), 18) from generate_series(1, ${LOG_ROWS}) n;
  insert into cache values (1, '${RAW}');
  do $do$ begin execute (
    select 'insert into wide select n, ' || string_agg(case when n % 9 = 0 then '''${RAW}''' else 'null' end, ', ') || ' from generate_series(1, 5) n' from generate_series(1, ${WIDTH}) n);
  end $do$;
  select lo_from_bytea(0, convert_to('${RAW} large object', 'UTF8')), lo_create(0);
  refresh materialized view mails;
  analyze;`

/** The masks of the database. What refers to a masked column has no rule. */
export const MASKS = `
tables:
  public.persons:
    keep: [id, role, period]
    columns:
      national_id: {mask: token, domain: person}
      email: email
      nick: {mask: token, domain: nick}
      full_name: name
      phone: digits
      bio: text
      born: {sql: "date_trunc('year', born)::date"}
      tags: empty
      photo: token
      settings: {json: [theme, mail.on]}
      ref: uuid
      number: digits
      checked: {value: "it's \\\\ constant"}
  public.contracts: {keep: [id], columns: {text: text}}
  public.payments: {keep: [id, amount, payer]}
  public.passports: {keep: [country], columns: {number: {mask: token, domain: passport}, holder: name}}
  public.visas: {keep: [id, country]}
  public.events: {keep: [at], columns: {email: email, note: null}}
  public.animals: {keep: [name], columns: {owner: name}}
  public.dogs: {keep: [name], columns: {owner: name, chip: token}}
  public.cats: {keep: [name], columns: {owner: name, chip: token}}
  'public."wide"':
    keep: [id]
    columns:
${Array.from({ length: WIDTH }, (_, n) => `      c${n + 1}: ${['token', 'null', 'text', 'empty'][n % 4]}`).join('\n')}
  '"Höhe ""x"""."Maße ""é"""':
    columns: {Größe: token, '"select"': name, '"a.b"': token, '"Mixed Case"': email}
  public.empty_one: {columns: {secret: token}}
  public.no_columns: keep
  public.countries: keep
  public.log: {keep: [id], columns: {line: text}}
  public.cache: {keep: [id], columns: {person: token}}
  public.sessions: none
`
