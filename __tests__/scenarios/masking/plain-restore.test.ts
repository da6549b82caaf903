/** A masked dump is an ordinary archive: `pg_restore` restores it alone, and finds the masks that the servers compute. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findClients, restore } from '../../../lab/postgres/clients.ts'
import { KEY } from '../../../lab/postgres/mask-cases.ts'
import { MASK_RULES, MASKED_SCHEMA, RAW_VALUES, restoreMasked } from '../../../lab/postgres/masked-sample.ts'
import { startPostgres } from '../../../lab/postgres/postgres.ts'
import { runAction } from '../../../lab/runner/action.ts'
import { succeeded } from '../../../lab/runner/outcome.ts'
import { tempFolder } from '../../../lab/temp.ts'

/** The action dumps with the oldest client that fits, and each newer one reads that. */
const clients = findClients().filter(({ major }) => major >= 15)

test('pg_restore of every client restores a masked dump: with jobs, from a stream, and one table', async () => {
  await using postgres = await startPostgres()
  await using folder = tempFolder('masked')
  await postgres.createDatabase('people')
  await postgres.psql('people', MASKED_SCHEMA)
  writeFileSync(join(folder.path, 'mask.yml'), MASK_RULES)
  for (const jobs of ['1', '4']) {
    const inputs = {
      ...{ 'database-url': postgres.url('people'), 'storage-location': 'dumps', 'install-tools': 'never' },
      ...{ mask: 'mask.yml', 'mask-key': KEY, jobs },
    }
    const dump = succeeded(await runAction(inputs, { cwd: folder.path }))
    const file = join(folder.path, 'dumps', dump.outputs['dump-key']!)
    for (const client of clients) {
      assert.deepEqual(await restoreMasked(postgres, client, file), [], `jobs: ${jobs}`)
      const text = await restore(client, {}, ['-f', '-', file])
      assert.ok(text.includes('a7644c378eab682a@example.com'))
      assert.equal(RAW_VALUES.exec(text), null)
    }
  }
})
