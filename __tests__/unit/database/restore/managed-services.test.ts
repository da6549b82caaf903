import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entry } from '../../../../lab/archive/toc-entry.ts'
import { selectEntries } from '../../../../src/database/restore/entry-rules.ts'
import {
  PROVIDER_NAMES,
  PROVIDERS,
  type ProviderName,
  providerOfDump,
  providerOfHost,
} from '../../../../src/database/restore/managed-services.ts'
import type { TargetFacts } from '../../../../src/database/restore/target-facts.ts'

test('host names give a provider away', () => {
  const cases: [string, ProviderName | null][] = [
    ['shop.abc123.eu-west-1.rds.amazonaws.com', 'rds'],
    ['Shop.cluster-ro-abc.cn-north-1.rds.amazonaws.com.cn', 'rds'],
    ['db.abcdefgh.supabase.co', 'supabase'],
    ['aws-0-eu-central-1.pooler.supabase.com', 'supabase'],
    ['ep-cool-name-123.eu-central-1.aws.neon.tech', 'neon'],
    ['shop.postgres.database.azure.com', 'azure'],
    ['abc.def.europe-west1.sql.goog', 'cloud-sql'],
    ['p.abc123.db.postgresbridge.com', 'crunchy'],
    ['ec2-1-2-3-4.compute-1.amazonaws.com', null],
    ['rds.amazonaws.com.example.com', null],
    ['localhost', null],
  ]
  for (const [host, provider] of cases) assert.equal(providerOfHost(host), provider, host)
})

test('owners, schemas and extensions of a dump give its provider away', () => {
  const cases: [ReturnType<typeof entry>, ProviderName | null][] = [
    [entry({ desc: 'SCHEMA', tag: 'public', owner: 'rdsadmin' }), 'rds'],
    [entry({ desc: 'EXTENSION', tag: 'aws_s3' }), 'rds'],
    [entry({ desc: 'TABLE', tag: 'users', namespace: 'auth', owner: 'supabase_auth_admin' }), 'supabase'],
    [entry({ desc: 'DEFAULT ACL', tag: 'DEFAULT PRIVILEGES FOR TABLES', owner: 'cloud_admin' }), 'neon'],
    [entry({ desc: 'SCHEMA', tag: '_heroku', owner: 'me' }), 'heroku'],
    [entry({ desc: 'TABLE DATA', tag: 'job', namespace: 'cron', owner: 'azuresu' }), 'azure'],
    [entry({ desc: 'EXTENSION', tag: 'google_vacuum_mgmt' }), 'cloud-sql'],
    [entry({ desc: 'EXTENSION', tag: 'crunchy_pooler' }), 'crunchy'],
    [entry({ desc: 'SCHEMA', tag: 'realtime', owner: 'me' }), null],
    [entry({ desc: 'SCHEMA', tag: 'pgbouncer', owner: 'pgbouncer' }), null],
    [entry({ desc: 'TABLE', tag: 'orders', owner: 'supabase_sync' }), null],
    [entry({ desc: 'EXTENSION', tag: 'pg_net' }), null],
  ]
  for (const [one, provider] of cases) assert.equal(providerOfDump([one]), provider, `${one.desc} ${one.tag}`)
})

const target: TargetFacts = {
  server: { version: '17.5', major: 17, role: 'app', superuser: false },
  encoding: 'UTF8',
  installed: new Set(['plpgsql']),
  available: new Set(['plpgsql', 'hstore']),
  refused: new Map(),
  schemas: new Map([['public', true]]),
  roles: new Set(),
  mayCreate: { eventTriggers: true, publicationsOfAll: true },
}

for (const name of PROVIDER_NAMES) {
  test(`what only ${PROVIDERS[name].title} has is left out, unless a table needs it; a user's tables never are`, () => {
    const provider = PROVIDERS[name]
    const extensions = Object.keys(provider.extensions).map((tag) => entry({ desc: 'EXTENSION', tag }))
    const owner = `${provider.roles.source.match(/[a-z_]+/)![0]}x`
    const tables = provider.schemas.flatMap((namespace) => [
      entry({ desc: 'SCHEMA', tag: namespace, owner }),
      entry({ desc: 'TABLE', tag: 'mine', namespace, owner: 'me' }),
      entry({ desc: 'TABLE DATA', tag: 'mine', namespace, owner: 'me' }),
    ])
    const mine = tables.filter(
      ({ namespace, tag }) => !/^(_heroku|neon_control_plane|supabase_functions)$/.test(namespace || tag),
    )
    const rules = { provider, leaveOut: true, ownerAndAcl: false }
    const selection = selectEntries([...extensions, ...tables], target, rules)
    assert.deepEqual(selection.missing, [])
    assert.deepEqual(selection.entries, mine)
    for (const needed of extensions) {
      const table = entry({ desc: 'TABLE', tag: 't', namespace: 'public', dependencies: [needed.dumpId] })
      const { missing } = selectEntries([needed, table], target, rules)
      assert.deepEqual(missing, [{ name: needed.tag, reason: null, neededBy: 'TABLE public.t' }])
    }
  })
}
