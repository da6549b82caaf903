/** Whether a text matches a pattern in which `*` stands for any text. Case does not matter. */
export function matchesGlob(text: string, pattern: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${source}$`, 'is').test(text)
}
