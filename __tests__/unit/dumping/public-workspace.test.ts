import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { tempFolder } from '../../../lab/temp.ts'
import { warnOfPublicWorkspace } from '../../../src/dumping/public-workspace.ts'
import type { Inputs } from '../../../src/inputs/inputs.ts'
import { parseLocation } from '../../../src/inputs/location.ts'
import { log } from '../../../src/report/log.ts'
import type { Step } from '../../../src/step/step.ts'

const PUBLIC = { repository: { private: false, visibility: 'public' } }

test('only real data in the workspace of a public repository is a warning', async () => {
  await using temp = tempFolder('public-workspace')
  const workspace = join(temp.path, 'shop')
  mkdirSync(join(workspace, '.pgclone'), { recursive: true })
  symlinkSync(join(workspace, '.pgclone'), join(temp.path, 'link'))
  const path = join(temp.path, 'event.json')
  const { mock: warning } = mock.method(log, 'warning', () => undefined)
  const warned = async (event: unknown, location: string, more: Partial<Inputs> = {}) => {
    writeFileSync(path, typeof event === 'string' ? event : JSON.stringify(event))
    const kind = { encryptTo: [], mask: '', schemaOnly: false }
    const inputs: Partial<Inputs> = { ...kind, location: parseLocation(location), ...more }
    const environment = { GITHUB_EVENT_PATH: path }
    const step: Partial<Step> = { inputs: inputs as Inputs, workspace, environment }
    warning.resetCalls()
    await warnOfPublicWorkspace(step as Step)
    return warning.callCount()
  }
  const inside = ['.pgclone/', join(workspace, 'dumps'), join(temp.path, 'link'), '.']
  for (const location of inside) assert.equal(await warned(PUBLIC, location), 1, location)
  for (const location of ['../dumps', `${workspace}-too`, 's3://bucket/.pgclone'])
    assert.equal(await warned(PUBLIC, location), 0, location)
  assert.equal(await warned({ repository: { private: false } }, '.pgclone'), 1)
  const others = [{ repository: { private: true, visibility: 'internal' } }, {}, 'no JSON', 'null', '']
  for (const event of others) assert.equal(await warned(event, '.pgclone'), 0, JSON.stringify(event))
  const safe: Partial<Inputs>[] = [{ encryptTo: ['age1'] }, { mask: 'mask.yml' }, { schemaOnly: true }]
  for (const inputs of safe) assert.equal(await warned(PUBLIC, '.pgclone', inputs), 0, JSON.stringify(inputs))
})
