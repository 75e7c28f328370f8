// Streams of random numbers: their bits are promised by seeds.
import test from 'ava'
import { shuffled } from '../../lib/fit/folds.js'
import { gaussians, manyGaussians, signs, stream, uniforms } from '../../lib/linear/random.js'
import { near } from '../support/near.js'

test('uniform numbers are those of mulberry32, computed apart from this package', (t) => {
  const first = (seed: number, count: number) => {
    const uniform = uniforms(seed)
    return Array.from({ length: count }, uniform)
  }
  t.deepEqual(
    first(1, 4),
    [0.6270739405881613, 0.002735721180215478, 0.5274470399599522, 0.9810509674716741],
  )
  t.deepEqual(first(2 ** 32 - 1, 2), [0.8964226141106337, 0.189478256739676])
})

test('a stream can be drawn from any of its places', async (t) => {
  const uniform = uniforms(7)
  const whole = Float64Array.from({ length: 1000 }, uniform)
  for (const first of [0, 1, 17, 998]) t.is(uniforms(7, first)(), whole[first] as number)
  const normals = gaussians(1000, 7)
  t.deepEqual(gaussians(500, 7, 500), normals.slice(500))
  // Longer than one turn of the event loop.
  const many = await manyGaussians(300_001, 3)
  t.deepEqual(many, gaussians(300_001, 3))
})

test('normal numbers follow Box and Muller and are normal', (t) => {
  const [one, other] = gaussians(2)
  near(t, one, 1.4043387784152637, { absolute: 1e-15 })
  near(t, other, 0.024141617523036025, { absolute: 1e-15 })
  const count = 200_000
  const many = gaussians(count, 11)
  const moment = (power: number) => many.reduce((sum, value) => sum + value ** power, 0) / count
  // Within five standard errors.
  near(t, moment(1), 0, { absolute: 5 / Math.sqrt(count) })
  near(t, moment(2), 1, { absolute: 5 * Math.sqrt(2 / count) })
  near(t, moment(4), 3, { absolute: 5 * Math.sqrt(96 / count) })
  let product = 0
  for (let i = 0; i < count; i += 2) product += (many[i] as number) * (many[i + 1] as number)
  near(t, product, 0, { absolute: (5 * count) / 2 / Math.sqrt(count / 2) })
})

test('streams of a seed, signs and orders', (t) => {
  t.not(stream(1, 0)(), stream(1, 1)())
  const drawn = signs(10_000, stream(1, 2))
  t.true(drawn.every((value) => Math.abs(value) === 1))
  near(
    t,
    drawn.reduce((sum, value) => sum + value, 0),
    0,
    { absolute: 500 },
  )
  const order = shuffled(100, 3)
  t.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  )
  t.notDeepEqual(order, shuffled(100, 4))
})
