import assert from 'node:assert/strict'
import { test } from 'node:test'
import { banner } from '../../../src/admin/banner.js'

test('a first start tells all that a person needs', () => {
  const text = banner({
    version: '1.2.3',
    domains: ['localhost'],
    services: ['conference.localhost'],
    listening: {
      c2s: [{ host: '::', port: 5222 }],
      c2sTls: [{ host: '::', port: 5223 }],
      c2sPlain: [],
      s2s: [{ host: '::', port: 5269 }],
      s2sTls: [{ host: '::', port: 5270 }],
      component: [],
      management: [{ host: '127.0.0.1', port: 5280 }],
    },
    dataDir: '/srv/data',
    database: 'embedded PostgreSQL 18',
    certificates: [
      {
        domain: 'localhost',
        file: '/srv/data/tls/localhost.crt',
        fingerprint: 'AA:BB',
        selfSigned: true,
        expires: Date.UTC(2036, 0, 1),
      },
    ],
    accounts: 0,
    parley: 'npx parley',
  })
  assert.equal(
    text,
    `Parley 1.2.3 is ready.
  domains      localhost
  services     conference.localhost
  clients      [::]:5222 (STARTTLS)
               [::]:5223 (TLS at once)
  servers      [::]:5269 (STARTTLS)
               [::]:5270 (TLS at once)
  management   127.0.0.1:5280 (HTTP: /metrics /healthz /readyz)
  data         /srv/data, embedded PostgreSQL 18
  certificate  localhost: /srv/data/tls/localhost.crt (self-signed, until 2036-01-01)
               SHA-256 AA:BB

  Add a user:        npx parley user add ana
  Connect a client:  ana@localhost, server localhost; trust the certificate above when it asks
  Stop:              Ctrl-C`,
  )
})

test('another port is told, and a server with users shows how to list them', () => {
  const text = banner({
    version: '1.2.3',
    domains: ['example.org', 'chat.example'],
    services: [],
    listening: {
      c2s: [{ host: '127.0.0.1', port: 6222 }],
      c2sTls: [],
      c2sPlain: [],
      s2s: [],
      s2sTls: [],
      component: [{ host: '127.0.0.1', port: 5347 }],
      management: [],
    },
    dataDir: '/srv/data',
    database: 'PostgreSQL at db',
    certificates: [],
    accounts: 2,
    parley: 'parley',
  })
  assert.match(text, /\n {2}domains +example\.org, chat\.example\n/)
  assert.match(text, /\n {2}Users: +parley user list\n/)
  assert.match(text, /\n {2}Connect a client: +ana@example\.org, port 6222\n/)
  assert.doesNotMatch(text, /services|management|TLS at once/)
})
