// The adaptive factors' gradient against differences, dense and convolutional.
import test from 'ava'
import { Factors } from '../../lib/train/factors.js'
import { Random } from '../support/onnx.js'

test('the gradient of the factors follows central differences', (t) => {
  const random = new Random(1)
  const factors = new Factors(
    [
      { name: 'bias', count: 3, layout: { modes: [], follows: { parameter: 1, mode: 0 } } },
      { name: 'conv', count: 3 * 2 * 4, layout: { modes: [3, 2, 4] } },
      { name: 'dense', count: 5 * 3, layout: { modes: [5, 3] } },
      { name: 'shift', count: 3, layout: { modes: [], follows: { parameter: 2, mode: 1 } } },
      { name: 'scale', count: 2, layout: { modes: [] } },
    ],
    1,
  )
  t.deepEqual(
    factors.changes().map((change) => change.every((value) => value === 0)),
    [true, true, true, true, true],
  )
  for (const array of factors.arrays) {
    for (let e = 0; e < array.length; e += 1) array[e] = random.normal()
  }
  const weights = [3, 24, 15, 3, 2].map((count) => random.normals(count))
  const value = () =>
    factors.changes().reduce((sum, change, p) => {
      const own = weights[p] as Float32Array
      return sum + change.reduce((inner, each, e) => inner + each * (own[e] as number), 0)
    }, 0)
  const gradients = factors.gradients(weights)
  factors.arrays.forEach((array, a) => {
    for (let e = 0; e < array.length; e += 1) {
      const before = array[e] as number
      const step = 1 / 64
      array[e] = before + step
      const up = value()
      array[e] = before - step
      const slope = (up - value()) / (2 * step)
      array[e] = before
      const found = gradients[a]?.[e] as number
      t.true(Math.abs(found - slope) < 2e-3 * (1 + Math.abs(slope)), `${factors.names[a]}[${e}]`)
    }
  })
})
