import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Issued } from '../../support/test-ca.js'
import { now, root, rows } from './peer-cases.js'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test('openssl verify sees it alike, or the row says why not', { skip: !hasOpenssl }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-peer-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const differing: string[] = []
  for (const { title, chain, domain = 'chat.example.org', trust = [root], want, openssl } of rows) {
    const [leaf, ...others] = chain
    const write = (name: string, list: readonly Issued[]) => {
      writeFileSync(join(folder, name), list.map((one) => one.pem).join(''))
      return join(folder, name)
    }
    const host = /^[\d.]+$|^\[/.test(domain)
      ? ['-verify_ip', domain.replace(/[[\]]/g, '')]
      : ['-verify_hostname', domain]
    const { status } = spawnSync('openssl', [
      'verify',
      '-CAfile',
      write('trusted', trust),
      '-no-CApath',
      '-no-CAstore',
      '-partial_chain',
      ...(others.length > 0 ? ['-untrusted', write('others', others)] : []),
      '-purpose',
      'sslserver',
      '-auth_level',
      '2',
      '-attime',
      String(Math.floor(now / 1000)),
      ...host,
      write('leaf', [leaf!]),
    ])
    const alike = (status === 0) === (want === 'ok')
    if (alike !== (openssl === undefined)) differing.push(`${title}: ${status === 0 ? 'accepts' : 'refuses'}`)
  }
  assert.deepEqual(differing, [])
})
