/** One try of a client to connect, as the server saw it: from when to when, and whether it got a session by it. */
type Visit = { client: string; from: number; refused: boolean; ended: number | null }

const LINE = /^(\S+ \S+) \w+ \[(\d+)\] .*? (?:LOG|FATAL): {2}(.*)$/gm

/**
 * How long each client, known by its application_name, was without a session because the server ended it or let nobody
 * in, in milliseconds and at most. Comes from the log of a server with `log_connections`, so that the clock is the server's.
 */
export function readWaits(log: string): Map<string, number> {
  const waits = new Map<string, number>()
  const out = new Map<string, number>()
  for (const { client, from, refused, ended } of readVisits(log)) {
    const start = out.get(client)
    if (!refused && start !== undefined) {
      waits.set(client, Math.max(waits.get(client) ?? 0, from - start))
      out.delete(client)
    }
    if (ended !== null && !out.has(client)) out.set(client, ended)
  }
  return waits
}

/** In the order in which they came; what ended in good form has no end here. */
function readVisits(log: string): Iterable<Visit> {
  const visits = new Map<string, Visit>()
  for (const [, time, pid, message] of log.matchAll(LINE)) {
    const at = Date.parse(`${time}Z`)
    const client = /^connection authorized: .* application_name=(.*)$/.exec(message!)?.[1]
    if (client) visits.set(pid!, { client, from: at, refused: false, ended: null })
    const visit = visits.get(pid!)
    if (!visit || client) continue
    const refused = /^database ".*" (is not currently accepting connections|does not exist)/.test(message!)
    if (refused || /^terminating connection/.test(message!)) Object.assign(visit, { refused, ended: at })
  }
  return visits.values()
}
