/** A table or another relation, by its names without quotes. */
export type Relation = { schema: string; name: string }

/** Returns a key that only this pair of names has: names may contain dots, so joined by a dot they could be another pair. */
export function relationKey({ schema, name }: Relation): string {
  return JSON.stringify([schema, name])
}

/** Returns the name for messages, with quotes where it would be ambiguous. */
export function relationName({ schema, name }: Relation): string {
  return [schema, name]
    .map((part) => (/[."]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part))
    .join('.')
}
