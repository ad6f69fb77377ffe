import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Queue } from '../../../src/base/queue.js'

test('a queue gives back what an array would', () => {
  const steps = fc.array(fc.constantFrom('push', 'push', 'shift', 'takeAll'), { maxLength: 500 })
  fc.assert(
    fc.property(steps, fc.array(fc.nat(), { maxLength: 200 }), (all, first) => {
      const queue = new Queue(first)
      let model = [...first]
      all.forEach((step, i) => {
        if (step === 'push') {
          queue.push(i)
          model.push(i)
        } else if (step === 'shift') assert.equal(queue.shift(), model.shift())
        else if (i % 7 === 0) {
          assert.deepEqual(queue.takeAll(), model)
          model = []
        }
        assert.deepEqual([queue.length, queue.first, [...queue]], [model.length, model[0], model])
      })
    }),
  )
})
