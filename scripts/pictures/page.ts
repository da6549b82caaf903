/** How GitHub shows a job summary and the log of a step, as pages of HTML. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { marked } from 'marked'
import { parseCommands } from '../../lab/runner/runner-commands.ts'

export type Theme = 'light' | 'dark'

/** A step of a job, as its log page shows it. */
export type Step = {
  name: string
  log: string
  masks: readonly string[]
  durationMs: number
  failed: boolean
}

const COLOURS = {
  light: {
    page: '#ffffff',
    text: '#1f2328',
    faint: '#59636e',
    line: '#d1d9e0',
    group: '#f6f8fa',
    red: '#d1242f',
    amber: '#9a6700',
    green: '#1a7f37',
  },
  dark: {
    page: '#0d1117',
    text: '#f0f6fc',
    faint: '#9198a1',
    line: '#3d444d',
    group: '#151b23',
    red: '#f85149',
    amber: '#d29922',
    green: '#3fb950',
  },
}

const MONOSPACE =
  'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace'
const SANS =
  '-apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, "Liberation Sans", sans-serif, "Noto Color Emoji"'

/** The summary page of a job: GitHub-flavoured Markdown in GitHub's style sheet. */
export function summaryPage(title: string, markdown: string, theme: Theme): string {
  const { page, line, text } = COLOURS[theme]
  const style = readFileSync(
    createRequire(import.meta.url).resolve(`github-markdown-css/github-markdown-${theme}.css`),
    'utf8',
  )
  return html(
    `${style}
    body { background: ${page}; color: ${text}; font-family: ${SANS}; }
    .frame { border: 1px solid ${line}; border-radius: 6px; padding: 20px 24px; }
    .frame > h4 { margin: 0 0 16px; font-size: 14px; font-weight: 600; }
    .markdown-body { font-family: ${SANS}; font-size: 14px; background: ${page}; }
    .markdown-body table { display: table; width: auto; }
    .markdown-body td:last-child { white-space: nowrap; }`,
    `<div class="frame"><h4>${escapeHtml(title)}</h4><div class="markdown-body">${marked.parse(markdown, { async: false, gfm: true })}</div></div>`,
  )
}

/** The log page of a job: every step with its lines; groups are folded, but for those whose titles match. */
export function logPage(steps: readonly Step[], open: RegExp, theme: Theme): string {
  const { page, text, faint, line, group, red, amber, green } = COLOURS[theme]
  return html(
    `body { background: ${page}; color: ${text}; font-family: ${SANS}; font-size: 14px; }
    .frame { border: 1px solid ${line}; border-radius: 6px; overflow: hidden; padding: 8px; }
    .step { display: flex; gap: 10px; padding: 8px 12px; font-weight: 600; background: ${group}; border-radius: 6px; margin: 4px 0; }
    .step .time { margin-left: auto; font-weight: 400; color: ${faint}; }
    .passed { color: ${green}; } .failed, .error { color: ${red}; } .warning { color: ${amber}; }
    .row { display: flex; font: 12px/20px ${MONOSPACE}; white-space: pre-wrap; overflow-wrap: anywhere; }
    .row b { flex: 0 0 44px; text-align: right; padding-right: 16px; font-weight: 400; color: ${faint}; }
    .row i { flex: 0 0 16px; font-style: normal; color: ${faint}; }
    .inside { padding-left: 16px; }`,
    `<div class="frame">${steps.map((step) => stepBlock(step, open)).join('')}</div>`,
  )
}

function stepBlock({ name, log, masks, durationMs, failed }: Step, open: RegExp): string {
  const mark = failed ? '<span class="failed">✗</span>' : '<span class="passed">✓</span>'
  const seconds = Math.max(1, Math.round(durationMs / 1000))
  const header = `<div class="step">${mark} ${escapeHtml(name)}<span class="time">${seconds}s</span></div>`
  return header + rows(hide(log, masks), open)
}

/** What the runner does with the secrets that a step declares. */
function hide(log: string, masks: readonly string[]): string {
  const secrets = [...masks].sort((a, b) => b.length - a.length)
  return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), log)
}

function rows(log: string, open: RegExp): string {
  const out: string[] = []
  let group: 'none' | 'open' | 'folded' = 'none'
  let number = 0
  const add = (content: string, caret = '', kind = '') => {
    const inside = group === 'open' && caret === '' ? ' inside' : ''
    out.push(
      `<div class="row ${kind}"><b>${number}</b><i>${caret}</i><span class="text${inside}">${escapeHtml(content)}</span></div>`,
    )
  }
  for (const line of log.split('\n')) {
    const [command] = parseCommands(line)
    if (command && ['add-mask', 'debug', 'save-state'].includes(command.name)) continue
    if (command?.name === 'endgroup') {
      group = 'none'
      continue
    }
    number += 1
    if (command?.name === 'group') {
      group = open.test(command.data) ? 'open' : 'folded'
      add(command.data, group === 'open' ? '▾' : '▸')
    } else if (group !== 'folded') {
      const kind = command?.name ?? ''
      add(command ? `${kind[0]!.toUpperCase()}${kind.slice(1)}: ${command.data}` : line, '', kind)
    }
  }
  return out.join('')
}

function html(style: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><style>
    * { box-sizing: border-box; } html, body { margin: 0; } body { padding: 12px; }
    ${style}</style><body>${body}</body></html>`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
