import { AWS_VARIABLE } from '../aws/cli.ts'
import { parsePath } from '../process/user-path.ts'
import { parseHttpUrl } from './parse.ts'

/** Readers of the storage inputs. Each returns a value or throws an Error that completes the sentence "<input> …". */

export type Location = { kind: 'folder'; path: string } | { kind: 's3'; bucket: string; prefix: string }

/** Reads a folder or `s3://bucket/prefix/`. The resulting prefix is empty or ends with one slash. */
export function parseLocation(text: string): Location {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):\/\//.exec(text)?.[1]
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Error('contains a control character')
  if (/^(?:s3:\/\/)?arn:/i.test(text)) throw new Error(arnProblem(text.replace(/^s3:\/\//i, '')))
  if (/^s3:(?!\/\/)/i.test(text))
    throw new Error('looks like an S3 address without its slashes; write s3://bucket/prefix/')
  if (scheme === undefined) return { kind: 'folder', path: parsePath(text) }
  if (scheme !== 's3') throw new Error(`must be a folder or s3://bucket/prefix/, not ${scheme}://…`)
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]*)\/?(.*)$/.exec(text) ?? []
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/.test(bucket)) {
    throw new Error(`has the invalid bucket name ${JSON.stringify(bucket)}; write s3://bucket/prefix/`)
  }
  const prefix = path.replace(/\/$/, '')
  const parts = prefix === '' ? [] : prefix.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new Error('has an empty part, "." or ".." in its prefix')
  }
  return { kind: 's3', bucket, prefix: prefix === '' ? '' : `${prefix}/` }
}

/** Returns what to write instead of an Amazon Resource Name. */
function arnProblem(arn: string): string {
  const bucket = /^arn:[\w-]+:s3:::([^/]+)(\/.*)?$/.exec(arn)
  if (bucket) return `is the ARN of a bucket; write s3://${bucket[1]}${bucket[2] ?? '/'}`
  if (/^arn:[\w-]+:s3::\d*:accesspoint/.test(arn))
    return 'names a multi-region access point, which is not supported; write the bucket in one region'
  if (/^arn:[\w-]+:s3(?:-outposts)?:.*accesspoint/.test(arn))
    return 'names an S3 access point by its ARN, which is not supported; write its alias, as in s3://shop-abc123-s3alias/prefix/, which AWS accepts as a bucket'
  return 'is an ARN, which is not supported; write s3://bucket/prefix/'
}

/** Reads `NAME=value` lines or one JSON object as variables of the AWS CLI. Values are never shown, not even in errors. */
export function parseS3Config(text: string): Record<string, string> {
  const entries = text.trim().startsWith('{') ? jsonEntries(text) : lineEntries(text)
  const seen = new Set<string>()
  for (const [name, value] of entries) {
    if (!AWS_VARIABLE.test(name)) {
      // Text that does not look like the name of a variable may be part of a secret.
      const what = /^[A-Z_]{1,40}$/.test(name) ? JSON.stringify(name) : 'of something else'
      throw new Error(`has the name ${what}; only AWS_*, proxy and CA variables belong there`)
    }
    if (seen.has(name)) throw new Error(`sets ${name} twice`)
    if (value === '')
      throw new Error(
        `sets ${name} to an empty value; check that the secret exists and that this job may read it`,
      )
    if (/^(["']).*\1$/.test(value)) throw new Error(`has quotes around the value of ${name}; remove them`)
    seen.add(name)
  }
  return Object.fromEntries(entries)
}

function lineEntries(text: string): [string, string][] {
  const entries: [string, string][] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const separator = line.indexOf('=')
    if (separator < 1) throw new Error(`has no NAME=value in line ${index + 1}`)
    entries.push([line.slice(0, separator).trim(), line.slice(separator + 1).trim()])
  }
  return entries
}

function jsonEntries(text: string): [string, string][] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('starts with { but is not valid JSON')
  }
  return Object.entries(value as Record<string, unknown>).map(([name, item]) => {
    if (typeof item !== 'string') {
      throw new Error(`sets ${AWS_VARIABLE.test(name) ? name : 'a variable'} to a value that is not a string`)
    }
    return [name, item]
  })
}

/** Reads an http(s) endpoint without credentials and without the bucket. */
export function parseEndpoint(text: string, location: Location | null): string {
  const url = new URL(parseHttpUrl(text, 'they belong in s3-config'))
  if (location?.kind === 's3') {
    const inHost = url.hostname.startsWith(`${location.bucket}.`)
    const inPath = url.pathname.split('/').includes(location.bucket)
    if (inHost || inPath) {
      throw new Error(`contains the bucket "${location.bucket}"; the bucket belongs only in storage-location`)
    }
  }
  return text.replace(/\/+$/, '')
}

/** Whether requests to the endpoint cross a network unencrypted. */
export function isPlainHttp(endpoint: string): boolean {
  const { protocol, hostname } = new URL(endpoint)
  return protocol === 'http:' && !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}
