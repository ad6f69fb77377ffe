import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lanes } from '../../../src/s2s/lanes.js'

const [a, b] = [() => 'a', () => 'b']
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('work of one key keeps its order, that of another goes on, and what needs no time takes none', async () => {
  const lanes = new Lanes()
  const done: string[] = []
  let open = (): void => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  void lanes.run(a, () => gate.then(() => void done.push('a1')))
  void lanes.run(a, () => void done.push('a2'))
  assert.equal(
    lanes.run(b, () => void done.push('b1')),
    undefined,
  )
  void lanes.run(a, async () => void done.push('a3'))
  assert.deepEqual(done, ['b1'])
  open()
  await turn()
  assert.deepEqual(done, ['b1', 'a1', 'a2', 'a3'])
  assert.equal(
    lanes.run(a, () => void done.push('a4')),
    undefined,
  )
})

test('work that fails is told to who ran it, and holds up nobody', async () => {
  const lanes = new Lanes()
  const failed = lanes.run(a, async () => {
    throw new Error('no')
  })
  const after = lanes.run(a, () => undefined)
  await assert.rejects(Promise.resolve(failed), { message: 'no' })
  await after
})
