import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesReadBy } from '../../../src/restoring/sql-script.ts'

const at = { path: '/repo/hooks/mask.sql', workspace: '/repo' }

function pathsIn(text: string): string[] {
  const found = filesReadBy(text, at)
  assert.ok('reads' in found, JSON.stringify(found))
  return found.reads.map(({ path, isScript }) => (isScript ? path : `data ${path}`))
}

const known: [string, string[]][] = [
  ['select 1;', []],
  ['\\i a.sql', ['/repo/a.sql']],
  ['\\include a.sql', ['/repo/a.sql']],
  ['\\ir a.sql', ['/repo/hooks/a.sql']],
  ['\\include_relative ../a.sql', ['/repo/a.sql']],
  ['\\i /etc/a.sql', ['/etc/a.sql']],
  ['\\ir /etc/a.sql', ['/etc/a.sql']],
  ['\\i ~/a.sql', [join(homedir(), 'a.sql')]],
  ["\\i 'it''s here.sql'", ["/repo/it's here.sql"]],
  ['\\i a.sql;', ['/repo/a.sql']],
  ['\\i a.sql\r\n\\i b.sql\r\n', ['/repo/a.sql', '/repo/b.sql']],
  ['select 1 \\g \\ir a.sql \\i b.sql', ['/repo/hooks/a.sql', '/repo/b.sql']],
  ['\\i\ta.sql\\\\ select 2;', ['/repo/a.sql']],
  ['\\if :{?x}\n\\i a.sql\n\\endif', ['/repo/a.sql']],
  ['\\i\n\\i -\n\\iffy a.sql\n\\if true', []],
  ["\\copy t (a) from 'my data.csv' csv", ['data /repo/my data.csv']],
  ['\\copy t FROM rows.txt', ['data /repo/rows.txt']],
  ['\\copy t from stdin\n1\n\\.\n', []],
  ['\\copy t to /dev/null', []],
  ['\\lo_import image.png', ['data /repo/image.png']],
]

test('the files that a script reads are found, by every command and spelling of psql', () => {
  for (const [text, paths] of known) assert.deepEqual(pathsIn(text), paths, text)
})

const unknown = [
  ...['\\i :file', '\\ir :dir/a.sql', "\\i :'file'", '\\i `cat name`', '\\set x `date`', '\\i "a.sql"'],
  ...["\\i dir/'a.sql'", "\\i 'a\\tb.sql'", '\\i ~postgres/a.sql', "\\i 'a.sql'b", '\\! ./seed', '\\!./seed'],
  ...['\\cd sub', "\\copy t from program 'cat rows'", 'select 1 \\g | psql', 'select 1 \\g|psql', '\\o |sh'],
  ...['\\getenv name HOME', "\\i 'open"],
]

test('what only psql knows is unknown, and the line is named', () => {
  for (const text of unknown) {
    assert.deepEqual(filesReadBy(`select 1;\n  ${text}\nselect 2;`, at), {
      unknown: text.slice(text.indexOf('\\')).trim(),
    })
  }
})
