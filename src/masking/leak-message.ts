import type { Relation } from '../relation.ts'
import { formatQuantity } from '../report/format.ts'
import type { Leak } from './leak-scan.ts'
import type { LeakKind } from './leak-window.ts'
import { tableColumnText } from './names.ts'

const DESCRIPTIONS: Readonly<Record<LeakKind, string>> = {
  email: 'an e-mail address outside the example domains',
  iban: 'an IBAN',
  card: 'a payment card number',
  jwt: 'a JSON web token',
}

/** Returns why a masked dump fails after the leak scan, with all columns and none of their values. */
export function leakMessage(tables: readonly { table: Relation; leaks: readonly Leak[] }[]): string {
  const lines = tables.flatMap(({ table, leaks }) =>
    leaks.map(({ column, kind, count }) => {
      const values = `${formatQuantity(count, 'value')} with ${DESCRIPTIONS[kind]}`
      return `- ${tableColumnText(table, column)}: ${values}`
    }),
  )
  return [
    'columns that are kept unmasked hold what looks like personal data:',
    ...lines,
    'Mask these columns. If their values may leave the server, list the columns under `allow:` in the mask file, ' +
      'or switch the scan off with `leak-scan: off`.',
  ].join('\n')
}
