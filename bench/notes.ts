/**
 * Why a target is missed, written by hand after a run: the key is the target's work in `targets.ts`, and the text
 * completes the sentence "missed, because …". `npm run bench -- --page` then writes the page again.
 */
export const NOTES: Record<string, string> = {}
