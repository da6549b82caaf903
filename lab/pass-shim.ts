import { execFileSync } from 'node:child_process'
import { delimiter, dirname } from 'node:path'

/** Puts the AWS CLI itself in place of a shim of pyenv, of which each start would start three shells first. */
export function passShim(): void {
  const script = 'case $(command -v aws) in */shims/aws) command -v aws; pyenv which aws || : ;; esac'
  const [shim = '', program = ''] = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\n')
  if (program === '') return
  const folders = process.env.PATH!.split(delimiter)
  process.env.PATH = folders
    .map((folder) => (folder === dirname(shim) ? dirname(program) : folder))
    .join(delimiter)
}
