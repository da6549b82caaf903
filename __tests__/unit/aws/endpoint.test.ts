import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsEndpoint, endpointOf, isProxied } from '../../../src/aws/endpoint.ts'

test('an endpoint may come from the environment of the AWS CLI', () => {
  assert.equal(endpointOf({ AWS_ENDPOINT_URL: 'a', AWS_ENDPOINT_URL_S3: 'b' }), 'b')
  assert.equal(endpointOf({ AWS_ENDPOINT_URL: 'a', AWS_ENDPOINT_URL_S3: '' }), 'a')
  assert.equal(endpointOf({}), null)
  assert.equal(awsEndpoint('cn-north-1'), 'https://s3.cn-north-1.amazonaws.com.cn')
  assert.equal(awsEndpoint(null), 'https://s3.us-east-1.amazonaws.com')
})

test('a proxy stands between the AWS CLI and every address that NO_PROXY does not name', () => {
  const s3 = 'https://s3.eu-west-1.amazonaws.com'
  const inside = 'http://minio.corp.example:9000'
  const proxy = { HTTPS_PROXY: 'http://p' }
  const cases: [Record<string, string>, string, boolean][] = [
    [{ https_proxy: 'http://p' }, s3, true],
    [{ ALL_PROXY: 'http://p' }, s3, true],
    [{}, s3, false],
    [{ HTTPS_PROXY: '' }, s3, false],
    [{ ...proxy, NO_PROXY: '*' }, s3, false],
    [{ ...proxy, NO_PROXY: 'localhost, .corp.example' }, inside, false],
    [{ ...proxy, no_proxy: 'minio.corp.example:9000' }, inside, false],
    [{ ...proxy, no_proxy: 'corp.example,' }, 'http://corp.example', false],
    [{ ...proxy, NO_PROXY: 'orp.example' }, inside, true],
    [{ ...proxy, NO_PROXY: 'minio.corp.example:9001' }, inside, true],
  ]
  for (const [variables, url, proxied] of cases)
    assert.equal(isProxied(variables, url), proxied, JSON.stringify([variables, url]))
})
