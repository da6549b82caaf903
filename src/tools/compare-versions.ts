/** Negative when `a` is the older of two dotted versions, positive when it is the newer. Missing parts count as 0. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)]
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Whether `version` is in a range, which includes both ends. */
export function isBetween(version: string, oldest: string, newest: string): boolean {
  return compareVersions(version, oldest) >= 0 && compareVersions(version, newest) <= 0
}

function parts(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0)
}
