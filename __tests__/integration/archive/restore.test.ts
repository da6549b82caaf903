import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { clients, METHODS, skip, useHostileServer } from '../../../lab/benches/archive-bench.ts'
import { type Client, convert, dump, restore } from '../../../lab/postgres/clients.ts'
import { createDecoder, createEncoder, newestReadable } from '../../../src/archive/archive.ts'

const { env, fingerprint, folder, freshDatabase, psql } = useHostileServer()

let whole: ReturnType<typeof fingerprint> | undefined
/** The fingerprint of what is dumped, which nothing here changes. */
const original = () => (whole ??= fingerprint('hostile'))

/** Restores by two jobs, or from standard input. */
async function assertRestores(client: Client, path: string, inParallel: boolean): Promise<void> {
  const database = await freshDatabase()
  const into = ['-d', database]
  if (inParallel) await restore(client, env(database), [...into, '-j', '2', path])
  else await restore(client, env(database), into, path)
  assert.deepEqual(await fingerprint(database), await original())
}

for (const source of clients) {
  for (const compression of METHODS) {
    const path = join(folder, `${source.major}-${compression.method}`)

    test(`pg_dump ${source.major} with ${compression.method}: rows are those of count(*)`, {
      skip,
    }, async () => {
      const stage = createEncoder({ compression, jobs: 2 })
      await dump(source, env('hostile'), stage, path)
      const report = stage.report()
      const counted = report.tables.map(({ schema, name, rows }) => `${schema}.${name} ${rows}`).sort()
      const expected = await original()
      const tables = expected.filter(({ name }) => /^[^.\d]+\./.test(name) && name !== 'public.kept')
      assert.deepEqual(counted, tables.map(({ name, rows }) => `${unquote(name)} ${rows}`).sort())
      assert.equal(report.database, 'hostile')
      assert.equal(report.encoding, 'UTF8')
      assert.match(report.serverVersion, /^15\./)
      assert.match(report.clientVersion, new RegExp(`^${source.major}`))
    })

    for (const target of clients) {
      test(`… and pg_restore ${target.major} restores it all`, { skip }, async () => {
        const decoded = `${path}-for-${target.major}`
        const decoder = createDecoder({ maxVersion: newestReadable(target.major), jobs: 2 })
        await convert(path, decoder, decoded)

        await assertRestores(target, decoded, compression.method === 'zstd')

        const single = await restore(target, {}, ['-f', '-', '-a', '-t', 'one', decoded])
        assert.match(single, /^COPY public\.one \(a\) FROM stdin;\n\\\\\.\n\\n\n\\\\\.\\n\\n\\n\n\n\\\.\n/m)
      })
    }

    const direct = clients.filter(
      ({ major }) => major >= source.major && (compression.method !== 'zstd' || major > 15),
    )
    for (const target of direct) {
      test(`… and pg_restore ${target.major} reads it without us`, { skip }, async () => {
        assert.match(await restore(target, {}, ['--list', path]), /TABLE DATA Mixed Case Weird "Table"/)
        await assertRestores(target, path, compression.method !== 'none')
      })
    }
  }

  test(`pg_dump ${source.major} --inserts: rows are unknown, the data arrive`, { skip }, async () => {
    const path = join(folder, `${source.major}-inserts`)
    const stage = createEncoder({ compression: { method: 'gzip', level: 1 }, jobs: 2 })
    await dump(source, env('hostile'), stage, path, ['--inserts', '-t', 'public.one'])
    assert.deepEqual(
      stage.report().tables.map(({ name, rows }) => ({ name, rows })),
      [{ name: 'one', rows: null }],
    )
    const database = await freshDatabase()
    await restore(source, env(database), ['-d', database], path)
    assert.equal(await psql(database, 'select count(*) from one'), '4')
  })

  test(`pg_dump ${source.major} compressing by itself is read as well`, { skip }, async () => {
    const plain = join(folder, `${source.major}-own`)
    for (const own of source.major < 16 ? ['6'] : ['gzip', 'zstd', 'none']) {
      const decoder = createDecoder({ maxVersion: '1.14', jobs: 2 })
      await dump(source, env('hostile'), decoder, plain, ['-Z', own])
      const database = await freshDatabase()
      await restore(clients[0]!, env(database), ['-d', database], plain)
      assert.deepEqual(await fingerprint(database), await original(), own)
    }
  })
}

function unquote(name: string): string {
  return name.replaceAll(/"((?:[^"]|"")*)"/g, (_, inner: string) => inner.replaceAll('""', '"'))
}
