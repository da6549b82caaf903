import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configSecrets, urlSecrets } from '../../../src/inputs/secrets-in-inputs.ts'

const PASSWORD = `p@s:s/w%r'd" é?#&`

test('every form of the password of a URL is a secret', () => {
  const encoded = encodeURIComponent(PASSWORD)
  // As a hand writes it: only what must be encoded is.
  const byHand = encoded.replaceAll('%3A', ':').replaceAll('%20', ' ')
  for (const written of [encoded, byHand, encoded.toLowerCase()]) {
    const url = `postgres://user:${written}@host:5432/db?sslmode=require`
    const secrets = urlSecrets(url)
    for (const form of [url, written, PASSWORD, encoded]) assert.ok(secrets.includes(form), form)
  }
})

test('a password is found wherever the URL holds it, and in URLs that are wrong', () => {
  const urls = [
    'postgres://user:canary@host/db',
    'postgres://:canary@host/db',
    'postgres://user:canary@a:1,b:2/db?application_name=me@work',
    'postgres://user:canary@host/db?options=a:b@c',
    'postgres://host/db?password=canary',
    'postgres://host/db?user=a&password=canary&sslmode=require',
    'postgres://host/db?sslkey=x&sslpassword=canary',
    'jdbc:postgresql://user:canary@host/db',
    'jdbc:postgresql:db?user=a&password=canary',
    'jdbc:postgresql://host/db?user=a&PASSWORD=canary&ssl=true',
    'jdbc:postgresql://host/db?user=a&pass%77ord=c%61nary',
    'jdbc:postgresql://host/db?user=a&sslPassword=canary',
    'postgres://host/db?PGPASSWORD=canary',
    'prisma+postgres://accelerate.prisma-data.net/?api_key=canary',
    'postgres://user:canary@',
    'postgres://user name:canary@host',
  ]
  for (const url of urls) assert.ok(urlSecrets(url).includes('canary'), url)
  const raw = ['c@nary', 'ca/nary', 'c#nary', 'ca?nary', 'ca:nary', '100%canary', 'c\nnary', 'c@n@ry/']
  for (const password of raw) {
    assert.ok(urlSecrets(`postgres://user:${password}@host/db`).includes(password), password)
  }
})

test('the rest of a password that is not percent-encoded, and a + for a space, are secret too', () => {
  const secrets = urlSecrets('jdbc:postgresql://host/db?password=ca+na&ry&ssl=true')
  for (const form of ['ca+na', 'ca na', 'ca+na&ry', 'ca na&ry']) assert.ok(secrets.includes(form), form)
})

test('a URL without a password has no secret', () => {
  for (const url of [
    '',
    'postgres://user@host:5432/db',
    'postgres://host/db?user=a',
    'nonsense',
    'postgres://h/db?passfile=x',
  ])
    assert.deepEqual(urlSecrets(url), [], url)
})

test('the secrets of s3-config are found in every notation, also in broken ones', () => {
  const secret = 'wJalr/XUtn+FEMI=='
  const texts = [
    `AWS_SECRET_ACCESS_KEY=${secret}`,
    `AWS_REGION=eu\r\n AWS_SECRET_ACCESS_KEY = ${secret} \r\nAWS_PROFILE=x`,
    JSON.stringify({ AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: secret }),
    JSON.stringify({ AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: 'eu' }, null, 2),
    `{"AWS_SESSION_TOKEN": "${secret}",}`,
    `{"AWS_SECRET_ACCESS_KEY": "${secret}`,
    `{"AWS_ACCESS_KEY_ID": "AKIA" "AWS_SECRET_ACCESS_KEY": "${secret}"}`,
    `{"AWS_SECRET_ACCESS_KEY": "${secret.replaceAll('/', '\\/')}"}`,
    `AWS_SECRET_ACCESS_KEY: ${secret}`,
    `AWS_SECRET_ACCESS_KEY="${secret}"`,
    `HTTPS_PROXY=http://user:${secret}@proxy:3128`,
    `{"https_proxy": "http://user:${encodeURIComponent(secret)}@proxy"}`,
  ]
  for (const text of texts) assert.ok(configSecrets(text).includes(secret), text)
})
