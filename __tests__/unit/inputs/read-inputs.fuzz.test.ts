import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HOSTILE, hostile, problemOf } from '../../../lab/hostile-texts.ts'
import { keyOf, manifestOf } from '../../../lab/sample-dumps.ts'
import { clientEnvironment, toUrl } from '../../../src/database/connection/connection.ts'
import { parseDatabaseUrl } from '../../../src/database/connection/database-url.ts'
import { relatedName } from '../../../src/database/names.ts'
import { DEFAULTS } from '../../../src/inputs/defaults.ts'
import { COMMANDS } from '../../../src/inputs/inputs.ts'
import { parseEndpoint, parseLocation, parseS3Config } from '../../../src/inputs/location.ts'
import { readInputs } from '../../../src/inputs/read-inputs.ts'
import { keyPart, newDumpKey, parseDumpKey, referenceProblem } from '../../../src/storage/keys.ts'
import { parseManifest } from '../../../src/storage/manifest.ts'

/** Counted for docs/reliability.md. */
let tried = 0

const CANARY = 'canary-5e2f'

/** Runs a reader on bad inputs; what it refuses, it refuses with a sentence that shows no secret. */
function attempt<Result>(read: () => Result): Result | null {
  tried += 1
  try {
    return read()
  } catch (error) {
    assert.equal(problemOf(error), null)
    assert.ok(!(error as Error).message.includes(CANARY), (error as Error).message)
    return null
  }
}

/** What `core.getInput` would read, and nothing else of the machine. */
function environmentOf(inputs: Record<string, string>): Record<string, string> {
  const all = { ...DEFAULTS, 'database-url': `postgres://u:${CANARY}@h/app`, ...inputs }
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
  )
}

/** `readInputs`, whose masks must be all that it says to the runner. */
function readQuietly(inputs: Record<string, string>): ReturnType<typeof readInputs> {
  const { write } = process.stdout
  const said: string[] = []
  process.stdout.write = ((text: string) => said.push(text) > 0) as typeof write
  try {
    return readInputs(environmentOf(inputs))
  } finally {
    process.stdout.write = write
    for (const line of said
      .join('')
      .split(/[\r\n]+/)
      .filter(Boolean))
      assert.match(line, /^::add-mask::/)
  }
}

test('#37 any text in any input of any command is read or refused with a sentence', (t) => {
  const names = Object.keys(DEFAULTS).filter((name) => !['command', 'config-file'].includes(name))
  fc.assert(
    fc.property(
      fc.constantFrom(...COMMANDS),
      fc.dictionary(fc.constantFrom(...names), hostile(), { minKeys: 1, maxKeys: 4 }),
      (command, inputs) => {
        const read = attempt(() => readQuietly({ 'dump-key': 'latest', ...inputs, command }))
        if (read?.connection) assert.ok(!read.connection.label.includes(CANARY))
      },
    ),
    { numRuns: 1000 },
  )
  for (const [index, name] of names.entries()) {
    const command = COMMANDS[index % COMMANDS.length]!
    for (const text of HOSTILE) attempt(() => readQuietly({ [name]: text, command }))
  }
  t.diagnostic(`bad inputs: ${tried}`)
})

test('#37 a database name is never more than a name, however it is written in a URL', (t) => {
  const before = tried
  const property = fc.property(hostile(), (name) => {
    let encoded: string
    try {
      encoded = encodeURIComponent(name)
    } catch {
      return // Half a character cannot be written in a URL.
    }
    const connection = attempt(() => parseDatabaseUrl(`postgres://u:p@right.example:5433/${encoded}`))
    if (!connection) {
      assert.ok(name === '' || name.includes('\0') || Buffer.byteLength(name) > 63, JSON.stringify(name))
      return
    }
    const { PGHOST, PGPORT, PGUSER, PGDATABASE, ...others } = clientEnvironment(connection, {
      PGHOST: 'evil',
    })
    assert.deepEqual([PGHOST, PGPORT, PGUSER, PGDATABASE], ['right.example', '5433', 'u', name])
    assert.deepEqual(
      Object.keys(others).filter((key) => /DATABASE|HOST|SERVICE/.test(key)),
      [],
    )
    assert.equal(parseDatabaseUrl(toUrl(connection)).database, name)
    assert.ok(Buffer.byteLength(relatedName(name, 'pre')) <= 63)
  })
  fc.assert(property, { numRuns: 1000 })
  t.diagnostic(`bad inputs: ${tried - before}`)
})

test('#37 a URL that is not one is refused without a part of it that may be a secret', (t) => {
  const before = tried
  const piece = fc.oneof(hostile(), fc.constant(CANARY))
  const property = fc.property(fc.tuple(piece, piece, piece, hostile()), ([a, b, c, d]) => {
    const connection = attempt(() => parseDatabaseUrl(`postgres://${a}:${CANARY}${b}@${c}/${d}`))
    // A host that holds the canary was given as a host.
    if (connection && !`${a}${b}${c}`.includes(CANARY)) assert.ok(!connection.label.includes(CANARY))
    attempt(() => parseDatabaseUrl(`${a}://${CANARY}${b}`))
  })
  fc.assert(property, { numRuns: 1000, examples: [[['postgres://127.0.0.1/evil?[a-z]', '..', CANARY, '']]] })
  t.diagnostic(`bad inputs: ${tried - before}`)
})

test('#37 keys and storage addresses never leave their place', (t) => {
  const before = tried
  const property = fc.property(hostile(), hostile(), (one, other) => {
    const key = newDumpKey({ instance: one, database: other, config: one }, new Date(0))
    assert.match(key.key, /^([\w-]+\/){3}[\d-]+\.dump$/)
    assert.deepEqual(parseDumpKey(key.key), key)
    assert.doesNotMatch(keyPart(one), /^-|[^\w-]/)
    tried += 2
    const reference = `${one}/${other}`
    if (referenceProblem(reference) === null) {
      assert.doesNotMatch(reference, /(^|\/)\.\.(\/|$)|^\/|\\|[\0-\x1f]|(^|\/)-/)
    }
    const location = attempt(() => parseLocation(`s3://${one}/${other}`))
    if (location?.kind === 's3') {
      assert.match(location.bucket, /^[A-Za-z0-9._-]+$/)
      assert.ok(!location.prefix.split('/').includes('..'))
    }
    attempt(() => parseEndpoint(one, location))
  })
  fc.assert(property, { numRuns: 1000 })
  t.diagnostic(`bad inputs: ${tried - before}`)
})

test('#39 an s3-config that cannot be read shows none of its values', (t) => {
  const before = tried
  const line = fc.oneof(
    hostile(),
    hostile().map((text) => `AWS_SECRET_ACCESS_KEY=${text}${CANARY}`),
    hostile().map((text) => `${text}${CANARY}=x`),
  )
  const property = fc.property(fc.array(line, { maxLength: 4 }), fc.json(), (lines, json) => {
    const config = attempt(() => parseS3Config(lines.join('\n')))
    for (const name of Object.keys(config ?? {})) assert.match(name, /^[A-Za-z_0-9]+$/)
    attempt(() => parseS3Config(json.startsWith('{') ? json : `{"AWS_PROFILE": ${json}}`))
  })
  fc.assert(property, { numRuns: 1000 })
  t.diagnostic(`bad inputs: ${tried - before}`)
})

test('#22 a manifest is whole or refused, whatever was done to it', (t) => {
  const before = tried
  const key = keyOf('shop/app/none', 1)
  const manifest = manifestOf(key, 100)
  const names = Object.keys(manifest)
  const property = fc.property(
    fc.constantFrom(...names, '__proto__', 'toString'),
    fc.oneof(fc.jsonValue(), hostile()),
    fc.nat(),
    (name, value, at) => {
      const text = JSON.stringify({ ...manifest, [name]: value })
      const read = attempt(() => parseManifest(text, key))
      if (read) {
        assert.equal(read.key, key.key)
        assert.ok(Number.isSafeInteger(read.size) && read.size > 0)
        assert.match(read.sha256, /^[0-9a-f]{64}$/)
        for (const { rows, bytes } of read.tables)
          assert.ok(Number.isSafeInteger(bytes) && rows !== undefined)
      }
      const cut = text.slice(0, at % text.length)
      assert.equal(
        attempt(() => parseManifest(cut, key)),
        null,
      )
    },
  )
  fc.assert(property, { numRuns: 1000 })
  t.diagnostic(`bad inputs: ${tried - before}`)
})
