import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsEndpoint, endpointOf, isProxied } from '../../../src/aws/endpoint.ts'

test('an endpoint may come from the environment of the AWS CLI', () => {
  assert.equal(endpointOf({ AWS_ENDPOINT_URL: 'a', AWS_ENDPOINT_URL_S3: 'b' }), 'b')
  assert.equal(endpointOf({ AWS_ENDPOINT_URL: 'a', AWS_ENDPOINT_URL_S3: '' }), 'a')
  assert.equal(endpointOf({}), null)
  assert.equal(awsEndpoint('cn-north-1'), 'https://s3.cn-north-1.amazonaws.com.cn')
  assert.equal(awsEndpoint(null), 'https://s3.us-east-1.amazonaws.com')
  assert.ok(isProxied({ https_proxy: 'http://p' }) && isProxied({ ALL_PROXY: 'http://p' }))
  assert.ok(!isProxied({ HTTPS_PROXY: '', NO_PROXY: '*' }))
})
