// Results that leave tile by tile: the same numbers as whole, nothing computed twice, no whole result in
// memory.
import test, { type ExecutionContext } from 'ava'
import {
  MemorySink,
  type NdArray,
  type Network,
  type Tile,
  type TilePlace,
  type TileReport,
  type TileSink,
  transposed,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { reference } from '../support/reference.js'

const key = ({ row, column }: TilePlace) => `${row} ${column}`

/** Keeps its tiles, and fails once it has `most`. */
class Keeping implements TileSink {
  readonly tiles = new Map<string, Tile>()
  written = 0
  constructor(readonly most = Number.POSITIVE_INFINITY) {}
  has(place: TilePlace): boolean {
    return this.tiles.has(key(place))
  }
  async write(tile: Tile): Promise<void> {
    if (this.tiles.size >= this.most) throw new RangeError('the disk is full')
    this.written += 1
    this.tiles.set(key(tile), tile)
  }
}

const bits = ({ data }: NdArray) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)

function sameBits(one: Keeping, other: Keeping): boolean {
  return [...other.tiles].every(([place, { arrays }]) =>
    [...arrays].every(([name, part]) => {
      const own = one.tiles.get(place)?.arrays.get(name)
      return own !== undefined && bits(own).equals(bits(part))
    }),
  )
}

for (const name of ['mlp_init', 'cnn']) {
  test(`${name}: kernels in tiles are the reference, whatever their size`, async (t) => {
    const truth = await reference(name)
    const network = await load(t, truth.model)
    for (const tile of [1, 2, 3, 64, undefined]) {
      const sink = new MemorySink()
      await network.ntk(truth.input, { sink, tile })
      const found = sink.arrays.get('total') as NdArray
      near(t, found, truth.ntk, 1e-5, `tiles of ${tile}`)
    }
  })
}

const kinds = ['full', 'trace', 'diagonal'] as const
const small = (t: Parameters<typeof load>[0], random: Random) => load(t, mlp(random, [6, 9, 7, 3]))

for (const kernel of kinds) {
  test(`${kernel}: tiles add up to the kernel, of one input and of two, by layer, in blocks`, async (t) => {
    const random = new Random(5)
    const network = await small(t, random)
    const x = samples(random, [11, 6])
    const x2 = samples(random, [7, 6])
    for (const second of [undefined, x2]) {
      const truth = await network.ntk(x, second, { kernel, by: 'layer' })
      for (const how of [{ tile: 4 }, { tile: 4, block: 3 }, { tile: 5, outputBlock: 2 }]) {
        const sink = new MemorySink()
        const report = await network.ntk(x, second, { kernel, by: 'layer', sink, ...how })
        const rows = Math.ceil(11 / how.tile)
        const wanted = second ? rows * Math.ceil(7 / how.tile) : (rows * (rows + 1)) / 2
        t.deepEqual([report.tiles, report.computed], [wanted, wanted])
        for (const [layer, whole] of truth) {
          const found = sink.arrays.get(layer) as NdArray
          near(t, found, whole, 1e-5, `${layer} ${JSON.stringify(how)}`)
        }
      }
    }
  })
}

test('in float64, and the mean over outputs', async (t) => {
  const random = new Random(6)
  const network = await load(t, mlp(random, [5, 8, 4]), { float64: true })
  const x = samples(random, [9, 5])
  const truth = await network.ntk(x, { kernel: 'trace', mean: true })
  const sink = new MemorySink()
  await network.ntk(x, { kernel: 'trace', mean: true, sink, tile: 4 })
  near(t, sink.arrays.get('total') as NdArray, truth, 1e-13)
})

test('rows of Jacobians', async (t) => {
  const truth = await reference('mlp_init')
  const network = await load(t, truth.model)
  const whole = await network.jacobian(truth.input)
  const sink = new MemorySink()
  const report = await network.jacobian(truth.input, { sink, tile: 3 })
  t.is(report.computed, Math.ceil((truth.input.shape[0] as number) / 3))
  for (const [name, array] of whole) {
    const found = sink.arrays.get(name) as NdArray
    near(t, found, array, 1e-6, name)
  }
})

test('rows of features and of outputs', async (t) => {
  const truth = await reference('cnn')
  const network = await load(t, truth.model)
  const sink = new MemorySink()
  const call = { sink, tile: 2, outputs: [4, 0] }
  const { computed } = await network.features(truth.input, call)
  t.is(computed, Math.ceil((truth.input.shape[0] as number) / 2))
  const forms = new Set<string>()
  for (const [name, entry] of await network.features(truth.input, { outputs: [4, 0] })) {
    forms.add(entry.kind)
    const whole = new Map<string, NdArray>(
      entry.kind === 'dense'
        ? [['x', entry.x]]
        : [
            ['delta', entry.delta],
            entry.kind === 'rows' ? ['columns', entry.columns] : ['h', entry.h],
          ],
    )
    for (const [part, array] of whole)
      near(t, sink.arrays.get(`${name}/${part}`) as NdArray, array, 1e-6, `${name}/${part}`)
  }
  t.deepEqual([...forms].sort(), ['dense', 'factors'])
  t.is((await network.features(truth.input, call)).computed, 0)
  const outputs = new MemorySink()
  await network.run(truth.input, { sink: outputs, tile: 3 })
  near(t, outputs.arrays.get(network.output) as NdArray, truth.output, 1e-5)
})

test('outputs of samples that meet are refused in tiles', async (t) => {
  const { model, ...rest } = await import('../support/onnx.js')
  const network = await load(
    t,
    model({
      nodes: [
        { op: 'ReduceMean', inputs: ['x'], outputs: ['m'], attributes: { axes: [0], keepdims: 1 } },
        { op: 'Sub', inputs: ['x', 'm'], outputs: ['y'] },
      ],
      initializers: { w: rest.floats([1], [1]) },
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
    }),
    { unsupported: 'defer' },
  )
  const x = samples(new Random(4), [6, 3])
  t.deepEqual((await network.run(x)).shape, [6, 3])
  const sink = new MemorySink()
  await t.throwsAsync(network.run(x, { sink, tile: 2 }), { code: 'UNSUPPORTED' })
})

async function resumed(t: ExecutionContext, call: Call, tiles: number) {
  const random = new Random(7)
  const network = await small(t, random)
  const x = samples(random, [17, 6])
  const whole = new Keeping()
  t.is((await call(network, x, whole)).computed, tiles)
  const half = new Keeping(Math.floor(tiles / 2))
  await t.throwsAsync(call(network, x, half), {
    instanceOf: RangeError,
    message: 'the disk is full',
  })
  const before = half.written
  t.is(before, Math.floor(tiles / 2))
  // Some are lost, of those that there were.
  half.tiles.delete([...half.tiles.keys()][1] as string)
  const rest = new Keeping()
  for (const [place, tile] of half.tiles) rest.tiles.set(place, tile)
  const report = await call(network, x, rest)
  t.is(rest.written, tiles - before + 1)
  t.deepEqual([report.tiles, report.computed], [tiles, rest.written])
  t.true(sameBits(rest, whole))
  t.is((await call(network, x, rest)).computed, 0)
}

type Call = (network: Network, x: NdArray, sink: TileSink) => Promise<TileReport>

for (const how of [{}, { outputBlock: 2 }, { block: 2 }, { memory: '1MiB' }]) {
  test(`an interrupted kernel goes on to the same bits ${JSON.stringify(how)}`, (t) =>
    resumed(t, (network, x, sink) => network.ntk(x, { sink, tile: 4, ...how }), 15))
}

test('an interrupted kernel of two inputs, Jacobian, features and outputs', async (t) => {
  const x2 = samples(new Random(8), [10, 6])
  await resumed(t, (network, x, sink) => network.ntk(x, x2, { sink, tile: 4, by: 'layer' }), 15)
  await resumed(t, (network, x, sink) => network.jacobian(x, { sink, tile: 3 }), 6)
  await resumed(t, (network, x, sink) => network.features(x, { sink, tile: 3 }), 6)
  await resumed(t, (network, x, sink) => network.run(x, { sink, tile: 3 }), 6)
})

test('kernels larger than the memory budget', async (t) => {
  const random = new Random(9)
  const network = await load(t, mlp(random, [20, 30, 10]))
  const x = samples(random, [400, 20])
  const memory = 2 ** 24
  const bytes = 4 * (400 * 10) ** 2
  t.true(bytes > 3 * memory)
  await t.throwsAsync(network.ntk(x, { memory }), { code: 'MEMORY_BUDGET' })
  let rows = 0
  const sums = new Float64Array(400)
  const report = await network.ntk(x, {
    memory,
    sink: {
      write({ arrays, rows: range, columns }) {
        const part = arrays.get('total') as NdArray
        const width = 10 * (columns?.count ?? 0)
        rows += range.count
        part.data.forEach((value, e) => {
          const i = range.first + Math.floor(e / width / 10)
          sums[i] = (sums[i] as number) + Number(value)
        })
      },
    },
  })
  t.true(report.peakBytes < memory)
  t.true(rows > 0 && report.tiles > 3)
  // Row sums of the lower triangle of tiles; the last rows have all columns.
  const ones = { data: new Float32Array(4000).fill(1), shape: [400, 10] }
  const product = await network.ntkProduct(x, ones)
  const last = [...product.data.slice(3990)].reduce((sum, value) => sum + value, 0)
  t.true(Math.abs((sums[399] as number) - last) < 1e-3 * Math.abs(last))
})

test('a slow sink slows the call down; what it throws ends it, and the network goes on', async (t) => {
  const random = new Random(10)
  const network = await small(t, random)
  const x = samples(random, [12, 6])
  let open = 0
  let most = 0
  const sink: TileSink = {
    async write() {
      most = Math.max(most, ++open)
      await new Promise((resolve) => setTimeout(resolve, 5))
      open -= 1
    },
  }
  await network.ntk(x, { sink, tile: 2 })
  t.true(most >= 1 && most <= 2, `${most} at once`)
  t.is(open, 0)
  const controller = new AbortController()
  const stopping: TileSink = { write: () => controller.abort() }
  const { signal } = controller
  const aborted = await network.ntk(x, { sink: stopping, tile: 2, signal }).catch((error) => error)
  t.is((aborted as Error).name, 'AbortError')
  t.is((await network.ntk(x, { kernel: 'trace' })).shape[0], 12)
})

test('what is not finite is refused by sample; misuse is refused', async (t) => {
  const random = new Random(11)
  const network = await small(t, random)
  const x = samples(random, [6, 6])
  const weights = new Map([
    ['l.0.weight', { data: new Float32Array(54).fill(1e19), shape: [9, 6] }],
  ])
  const huge = await network.withParameters(weights)
  t.teardown(() => huge.dispose())
  const { message } = (await t.throwsAsync(huge.ntk(x, { sink: new MemorySink(), tile: 2 }), {
    code: 'NUMERICAL',
  })) as Error
  t.regex(message, /sample \d/)
  const returned = new MemorySink()
  await huge.ntk(x, { sink: returned, tile: 2, nonFinite: 'return' })
  t.false([...(returned.arrays.get('total') as NdArray).data].every(Number.isFinite))
  const bad = { code: 'BAD_ARGUMENT' }
  await t.throwsAsync(network.ntk(x, { tile: 2 } as never), bad)
  await t.throwsAsync(network.ntk(x, { sink: {} as never }), bad)
  await t.throwsAsync(network.ntk(x, { sink: new MemorySink(), tile: 0 }), bad)
  const sink = new MemorySink()
  await network.ntk(x, { sink })
  await t.throwsAsync(network.ntk(x, { sink, kernel: 'trace' }), bad)
})

test('mirrored tiles', (t) => {
  const part = { data: Float32Array.from({ length: 12 }, (_, e) => e), shape: [1, 2, 3, 2] }
  const mirrored = transposed(part, 2)
  t.deepEqual(mirrored.shape, [3, 2, 1, 2])
  t.deepEqual([...mirrored.data], [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11])
})
