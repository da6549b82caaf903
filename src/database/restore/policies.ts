const NAME = '(?:"(?:[^"]|"")*"|[^\\s",;.()]+)'

/** `CREATE POLICY` as pg_dump writes it (dumpPolicy in pg_dump.c), up to its roles, and the roles. */
const POLICY = new RegExp(
  `^(CREATE POLICY ${NAME} ON ${NAME}(?:\\.${NAME})?(?: AS \\w+)?(?: FOR \\w+)? TO )(${NAME}(?:, ${NAME})*)`,
)

/** Returns the roles to which a policy applies; none if it applies to all. */
export function policyRoles(definition: string): string[] {
  return namesOf(POLICY.exec(definition)?.[2] ?? '').map(plainName)
}

/** Restricts a policy to those of its roles that `wanted` accepts. */
export function restrictRoles(definition: string, wanted: (role: string) => boolean): string {
  return definition.replace(POLICY, (_, head: string, roles: string) => {
    const kept = namesOf(roles).filter((role) => wanted(plainName(role)))
    return head + kept.join(', ')
  })
}

function namesOf(list: string): string[] {
  return list.match(new RegExp(NAME, 'g'))?.map((name) => name.replace(/,$/, '')) ?? []
}

/** Returns the name that an identifier stands for, without quotes. */
function plainName(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}
