/** What the image says of itself: `node facts.mjs FILE`, FILE being the output of `buildah inspect`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const { Docker } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const { config } = Docker
assert.equal(config.User, '10001:10001')
assert.deepEqual(config.Entrypoint, ['parley'])
assert.deepEqual(config.Cmd, ['start'])
assert.deepEqual(config.Healthcheck.Test, ['CMD', 'parley', 'health'])
assert.deepEqual(Object.keys(config.ExposedPorts).sort(), ['5222/tcp', '5223/tcp', '5269/tcp', '5270/tcp'])
assert.deepEqual(Object.keys(config.Volumes), ['/data'])
assert.equal(config.StopSignal, 'SIGTERM')
console.log('ok image: user, command, health check, ports, volume and stop signal are set')
