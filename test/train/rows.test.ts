// Training on samples that are read by rows: the same bits as in memory, by few reads.
import test from 'ava'
import { type ArraySource, type NdArray, train } from '../../lib/index.js'
import { gather } from '../../lib/io/gather.js'
import { load, mlp } from '../support/networks.js'
import { Random } from '../support/random.js'
import { classes } from './sets.js'

test('shuffled samples are read in few pieces, to the same weights', async (t) => {
  const network = await load(t, mlp(new Random(2), [5, 6, 3]), { threads: 1 })
  const { x, target } = classes()
  const array = x as NdArray<Float32Array>
  const reads: number[] = []
  const rows: ArraySource = {
    ...{ length: 40, shape: [40, 5], dtype: 'float32' },
    rows: async (first, count) => {
      reads.push(count)
      return { data: array.data.slice(5 * first, 5 * (first + count)), shape: [count, 5] }
    },
  }
  for (const model of ['full', 'fixed'] as const) {
    const options = {
      model,
      epochs: 3,
      batch: 8,
      optimizer: { kind: 'sgd', learningRate: 0.1 },
    } as const
    const whole = await train(network, { x, target }, options)
    reads.length = 0
    const read = await train(network, { x: rows, target }, options)
    for (const [name, { data }] of whole.weights) {
      t.deepEqual(read.weights.get(name)?.data, data, `${model} ${name}`)
    }
    t.true(reads.length < 15, `${model}: ${reads.length} reads of ${reads.join(' ')} rows`)
  }
})

test('rows are gathered in any order, some twice, near ones together and far ones apart', async (t) => {
  const size = 3
  const rows = [900, 5, 7, 5, 0, 901, 300, 8, 2000]
  const reads: [number, number][] = []
  const read = async (first: number, count: number) => {
    reads.push([first, count])
    return Float32Array.from({ length: count * size }, (_, e) => first * size + e)
  }
  const found = await gather(rows, new Float32Array(rows.length * size), size, read)
  t.deepEqual(
    [...found],
    rows.flatMap((row) => [3 * row, 3 * row + 1, 3 * row + 2]),
  )
  t.deepEqual(reads, [
    [0, 9],
    [300, 1],
    [900, 2],
    [2000, 1],
  ])
  // Of large rows only those that are wanted.
  const large = 2 ** 16
  reads.length = 0
  const wide = async (first: number, count: number) => {
    reads.push([first, count])
    return new Float32Array(count * large).fill(first)
  }
  await gather([4, 0, 2, 3], new Float32Array(4 * large), large, wide)
  t.deepEqual(reads, [
    [0, 1],
    [2, 3],
  ])
  t.deepEqual([...(await gather([], new Float32Array(0), size, read))], [])
})
