import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { tempFolder } from '../../../lab/temp.ts'
import { checkSqlFiles, sqlFile, sqlPath } from '../../../src/database/sql-file.ts'

const workspace = tempFolder('workspace').path
mkdirSync(join(workspace, 'my hooks'))
const names = [
  'my hooks/mask me.sql',
  'mask.sql',
  "it's.sql",
  'Größe 1.SQL',
  'no\u00a0break.sql',
  'a (1).sql',
  'call x.sql',
]
for (const name of names) writeFileSync(join(workspace, name), '')

test('a hook that is a file is that file, however its name is written', () => {
  for (const name of names) {
    const path = join(workspace, name)
    for (const written of [name, `./${name}`, path, `"${name}"`, `'${name}'`, name.replaceAll(' ', '\\ ')])
      assert.equal(sqlFile(written, workspace), path, written)
  }
  assert.equal(sqlFile('missing.sql', workspace), join(workspace, 'missing.sql'))
  assert.equal(sqlFile('~/mask.sql', workspace), join(homedir(), 'mask.sql'))
})

test('a command is a command, even if it ends with the name of a file', () => {
  const commands = [
    'psql --file=mask.sql',
    'psql -f mask.sql',
    'cat mask.sql | psql',
    './load.sh < mask.sql',
    '$PSQL -f mask.sql',
    '"my tool" "mask.sql"',
    'mask.sql && true',
    './mask.sql.sh',
    'npm run migrate',
  ]
  for (const command of commands) assert.equal(sqlFile(command, workspace), null, command)
})

test('verify-sql is a file also if it does not exist, so that the error names it', () => {
  assert.equal(sqlPath('my checks/missing.sql', workspace), join(workspace, 'my checks/missing.sql'))
  assert.equal(sqlPath('"my hooks/mask me.sql"', workspace), join(workspace, 'my hooks/mask me.sql'))
  assert.equal(sqlPath('SELECT count(*) > 0 FROM t', workspace), null)
})

test('a file whose name only a shell can read is refused with the input', () => {
  for (const line of ['$GITHUB_WORKSPACE/mask.sql', '"$HOME/mask.sql"', '~app/mask.sql'])
    assert.throws(() => checkSqlFiles(['true', line]), /which only a shell replaces/, line)
  const lines = ['$PSQL -f x.sql', '~/mask.sql', 'SELECT 1', '~/bin/load x.sql']
  assert.deepEqual(checkSqlFiles(lines), lines)
})
