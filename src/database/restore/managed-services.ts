import type { TocEntry } from '../../archive/archive.ts'

/** The objects that a managed provider adds to databases, and how to recognise the provider. */
export type Provider = {
  /** The name that its users know. */
  title: string
  /** Matches the host names of its servers. */
  hosts: RegExp
  /** Matches its own roles, which each of its servers has, and no other. Objects of users belong to other roles. */
  roles: RegExp
  /** Matches more roles that own its objects, but that any server may have, so they do not identify it. */
  otherOwners?: RegExp
  /**
   * Its internal schemas, which are useless elsewhere and which it recreates in its own databases. They do not include
   * schemas with data of users (Supabase's `auth` and `storage`, `neon_auth`), nor those into which extensions are
   * installed (`extensions`, `heroku_ext`).
   */
  schemas: readonly string[]
  eventTriggers: readonly string[]
  /** Extensions that only its servers have, each with the schemas that contain only objects of the extension. */
  extensions: Readonly<Record<string, readonly string[]>>
  /** Where a user can allow another extension. */
  allow: string
}

export type ProviderName = 'rds' | 'supabase' | 'neon' | 'heroku' | 'azure' | 'cloud-sql' | 'crunchy'

/** Sources: each provider's documentation of roles and extensions, and published dumps of its databases. */
export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  rds: {
    title: 'Amazon RDS',
    hosts: /\.rds\.amazonaws\.com(\.cn)?$/,
    roles: /^(rdsadmin|rds_superuser)$/,
    schemas: [],
    eventTriggers: [],
    extensions: {
      apg_plan_mgmt: ['apg_plan_mgmt'],
      aurora_stat_utils: [],
      aws_commons: [],
      aws_lambda: [],
      aws_ml: [],
      aws_s3: [],
      rds_activity_stream: [],
      rds_tools: [],
    },
    allow: 'the parameter rds.allowed_extensions, if it is set',
  },
  supabase: {
    title: 'Supabase',
    hosts: /\.supabase\.(co|com|net)$/,
    roles:
      /^supabase_((auth|storage|functions|realtime|replication|etl)_)?admin$|^supabase_(read_only_user|privileged_role)$/,
    otherOwners: /^pgbouncer$/,
    schemas: [
      ...['_analytics', '_realtime', '_supavisor', 'graphql_public', 'pgbouncer'],
      ...['realtime', 'supabase_functions'],
    ],
    eventTriggers: [
      ...['issue_graphql_placeholder', 'issue_pg_cron_access', 'issue_pg_graphql_access'],
      ...['issue_pg_net_access', 'pgrst_ddl_watch', 'pgrst_drop_watch'],
    ],
    extensions: {
      pg_graphql: ['graphql'],
      pg_net: ['net'],
      pgjwt: [],
      pgsodium: ['pgsodium', 'pgsodium_masks'],
      supabase_vault: ['vault'],
      wrappers: [],
    },
    allow: 'Database, Extensions in its dashboard',
  },
  neon: {
    title: 'Neon',
    hosts: /\.neon\.(tech|build)$/,
    roles: /^(neon_superuser|neon_service|cloud_admin)$/,
    schemas: ['neon', 'neon_control_plane', 'neon_migration'],
    eventTriggers: [],
    extensions: { neon: [], neon_test_utils: [], neon_utils: [], pg_session_jwt: [] },
    allow: 'its documentation of supported extensions',
  },
  heroku: {
    title: 'Heroku',
    // Its servers have host names of EC2 and RDS, which do not identify it.
    hosts: /(?!)/,
    roles: /^heroku_admin$/,
    schemas: ['_heroku'],
    eventTriggers: ['extension_before_drop', 'log_create_ext', 'log_drop_ext', 'validate_extension'],
    extensions: {},
    allow: 'the plan of the database',
  },
  azure: {
    title: 'Azure',
    hosts: /\.postgres\.database\.(azure\.com|usgovcloudapi\.net|chinacloudapi\.cn)$/,
    roles: /^(azuresu|azure_superuser|azure_pg_admin)$/,
    schemas: [],
    eventTriggers: [],
    extensions: {
      azure: [],
      azure_ai: [],
      azure_local_ai: [],
      azure_storage: [],
      pg_availability: [],
      pg_azure_storage: [],
      pgaadauth: [],
    },
    allow: 'the server parameter azure.extensions',
  },
  'cloud-sql': {
    title: 'Cloud SQL',
    hosts: /\.sql(-psa)?\.goog$/,
    roles: /^(cloudsql|alloydb)(admin|superuser)$/,
    schemas: [],
    eventTriggers: [],
    extensions: {
      google_columnar_engine: [],
      google_db_advisor: [],
      google_ml_integration: [],
      google_vacuum_mgmt: ['google_vacuum_mgmt'],
    },
    allow: 'its list of supported extensions, and the database flags that some of them need',
  },
  crunchy: {
    title: 'Crunchy Bridge',
    hosts: /\.postgresbridge\.com$/,
    roles: /^crunchy_/,
    schemas: [],
    eventTriggers: [],
    extensions: {
      crunchy_check_access: [],
      crunchy_pooler: [],
      pgnodemx: [],
    },
    allow: 'its documentation of supported extensions',
  },
}

/**
 * Extensions that monitor or maintain a server, or run jobs in only one of its databases, and contain no data of users. A
 * copy does not need them.
 */
export const HOUSEKEEPING: Readonly<Record<string, readonly string[]>> = {
  hypopg: [],
  pg_cron: ['cron'],
  pg_repack: ['repack'],
  pg_stat_kcache: [],
  pg_stat_monitor: [],
  pg_wait_sampling: [],
  pgaudit: [],
}

export const PROVIDER_NAMES = Object.keys(PROVIDERS) as readonly ProviderName[]

/** Returns the provider to which a host name belongs. */
export function providerOfHost(host: string): ProviderName | null {
  return PROVIDER_NAMES.find((name) => PROVIDERS[name].hosts.test(host.toLowerCase())) ?? null
}

/** Returns the provider whose servers have one of these roles. */
export function providerOfRoles(roles: Iterable<string>): ProviderName | null {
  const all = [...roles]
  return PROVIDER_NAMES.find((name) => all.some((role) => PROVIDERS[name].roles.test(role))) ?? null
}

/**
 * Returns the provider from which a dump comes. It is recognised by the owners of the objects, which an archive names even
 * if they are not restored, and by schemas and extensions that only this provider has.
 */
export function providerOfDump(entries: readonly TocEntry[]): ProviderName | null {
  const names = (kind: string) => entries.filter(({ desc }) => desc === kind).map(({ tag }) => tag)
  const [schemas, extensions] = [names('SCHEMA'), names('EXTENSION')]
  const named = PROVIDER_NAMES.find(
    (name) =>
      schemas.some((schema) => isUnmistakable(schema) && PROVIDERS[name].schemas.includes(schema)) ||
      extensions.some((extension) => VENDOR.test(extension) && extension in PROVIDERS[name].extensions),
  )
  return providerOfRoles(new Set(entries.map(({ owner }) => owner))) ?? named ?? null
}

/** Whether only a provider has a schema of this name. A user may also have a `realtime`, for example, so its owner decides. */
export function isUnmistakable(schema: string): boolean {
  return ['_heroku', 'neon_control_plane', 'supabase_functions'].includes(schema)
}

/** Matches extensions that only their vendor has. */
const VENDOR = /^(rds_|aws_|apg_|aurora_|supabase_|neon|azure|pgaadauth|google_|crunchy_)/
