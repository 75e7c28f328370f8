// Samples that are read by rows: every call that takes samples takes them, gives the same bits, and
// asks for the rows of a block only.
import test from 'ava'
import {
  type ArraySource,
  type DType,
  fitFixed,
  MemorySink,
  type NdArray,
  Network,
  predictRows,
  TangentError,
} from '../../lib/index.js'
import { mlp, samples } from '../support/networks.js'
import { calls, setUp, tearDown } from '../support/public-calls.js'
import { Random } from '../support/random.js'

/** A source that tells how many of its rows were asked for at once. */
function counted(array: NdArray, dtype: DType = 'float32'): ArraySource & { asked: number[] } {
  const [length = 0, ...rest] = array.shape
  const size = rest.reduce((product, one) => product * one, 1)
  return {
    ...{ length, shape: array.shape, dtype, asked: [] as number[] },
    async rows(first, count) {
      this.asked.push(count)
      const data = array.data.subarray(first * size, (first + count) * size) as NdArray['data']
      return { data, shape: [count, ...rest] }
    },
  }
}

async function* blocks({ data, shape }: NdArray, count: number): AsyncGenerator<NdArray> {
  const [length = 0, size = 1] = shape
  for (let first = 0; first < length; first += count) {
    const end = Math.min(length, first + count)
    const part = data.subarray(first * size, end * size) as NdArray['data']
    yield { data: part, shape: [end - first, size] }
  }
}

/** The numbers of a result, wherever they lie in it. */
function numbersIn(value: unknown, depth = 0): unknown[] {
  if (ArrayBuffer.isView(value)) return [Array.from(value as Float32Array)]
  if (value instanceof Map) return [...value].flatMap(([key, one]) => [key, ...numbersIn(one)])
  if (Array.isArray(value)) return value.flatMap((one) => numbersIn(one, depth + 1))
  if (typeof value !== 'object' || value === null || depth > 4) return []
  return Object.values(value).flatMap((one) => numbersIn(one, depth + 1))
}

const isX = (value: unknown, like: NdArray) => {
  const { data, shape } = (value ?? {}) as Partial<NdArray>
  return shape?.join() === like.shape.join() && data === like.data
}

/** Arguments with the samples in another form, and how often they occur. */
function replaced(value: unknown, like: NdArray, by: () => unknown): { value: unknown; n: number } {
  if (isX(value, like)) return { value: by(), n: 1 }
  if (Array.isArray(value)) {
    const parts = value.map((one) => replaced(one, like, by))
    return { value: parts.map((one) => one.value), n: parts.reduce((sum, one) => sum + one.n, 0) }
  }
  if (Object.getPrototypeOf(value ?? 0) !== Object.prototype) return { value, n: 0 }
  const { kind, x, target } = value as Record<string, unknown>
  if (x === undefined || (kind === undefined && target === undefined)) return { value, n: 0 }
  const { value: own, n } = replaced(x, like, by)
  return { value: { ...(value as object), x: own }, n }
}

// What takes the samples apart before any network sees them, or is a source's own reader.
const others = /^(write|take|split|normalized|predictRows|runJob)/

test.serial('every public call that takes samples takes rows, to the same bits', async (t) => {
  await setUp()
  const x = (calls.run?.args() ?? [])[0] as NdArray
  const done: string[] = []
  for (const [name, { args, call }] of Object.entries(calls)) {
    const given = args()
    const sinkOf = (all: unknown[]) =>
      all.map((one) => (one as { sink?: MemorySink } | undefined)?.sink?.arrays)
    for (const form of [() => counted(x), () => blocks(x, 4)]) {
      const rows = replaced(args(), x, form)
      if (rows.n === 0 || others.test(name)) break
      const expected = await call(...given)
      const found = await call(...(rows.value as unknown[]))
      t.deepEqual(numbersIn(found), numbersIn(expected), name)
      t.deepEqual(numbersIn(sinkOf(rows.value as unknown[])), numbersIn(sinkOf(given)), name)
      if (!done.includes(name)) done.push(name)
    }
  }
  for (const name of 'run jacobian features vjp jvp normalProduct ntk ntkProduct'.split(' '))
    t.true(done.includes(name), name)
  for (const name of 'kernelOperator linearize averageKernel averageFeatures alignmentAlong'.split(
    ' ',
  ))
    t.true(done.includes(name), name)
  for (const name of 'probe probeTraining networkFeatures fitAdaptive fitFixed predict'.split(' '))
    t.true(done.includes(name), name)
  for (const name of 'fitByProducts train describeJob'.split(' ')) t.true(done.includes(name), name)
  await tearDown()
})

test('no call of many samples asks for more rows than a block has', async (t) => {
  const random = new Random(3)
  const network = await Network.load(mlp(random, [3, 4, 2]))
  t.teardown(() => network.dispose())
  const x = samples(random, [200, 3])
  const u = samples(random, [200, 2])
  const direction = new Map([['l.0.bias', samples(random, [4])]])
  const each: Record<string, (rows: ArraySource) => Promise<unknown>> = {
    run: (rows) => network.run(rows),
    jacobian: (rows) => network.jacobian(rows, { block: 16 }),
    'jacobian to a sink': (rows) => network.jacobian(rows, { sink: new MemorySink(), tile: 16 }),
    features: (rows) => network.features(rows, { sink: new MemorySink(), tile: 16 }),
    vjp: (rows) => network.vjp(rows, u, { block: 16 }),
    jvp: (rows) => network.jvp(rows, direction, { block: 16 }),
    ntk: (rows) => network.ntk(rows, { block: 16, kernel: 'trace' }),
    'ntk of two': (rows) => network.ntk(x, rows, { block: 16, kernel: 'trace' }),
    'ntk to a sink': (rows) => network.ntk(rows, { sink: new MemorySink(), tile: 16 }),
    ntkProduct: (rows) => network.ntkProduct(rows, u, { block: 16 }),
  }
  for (const [name, call] of Object.entries(each)) {
    const rows = counted(x)
    await call(rows)
    // A sink's digest is of all rows, a few MB at a time.
    const large = rows.asked.filter((count) => count > 64).length
    t.is(large, name.endsWith('sink') || name === 'features' ? 1 : 0, name)
  }
})

test('predictRows takes blocks that come one after another, too', async (t) => {
  const random = new Random(5)
  const network = await Network.load(mlp(random, [3, 4, 2]))
  t.teardown(() => network.dispose())
  const x = samples(random, [9, 3])
  const fitted = await fitFixed(network, x, samples(random, [9, 2]), { ridge: 0.1 })
  const found: number[] = []
  for await (const { data } of predictRows(fitted, network, blocks(x, 4))) found.push(...data)
  t.deepEqual(found, [...(await fitted.predict(network, x)).data])
})

test('what a source gives wrongly is one sentence, and the network goes on', async (t) => {
  const random = new Random(3)
  const network = await Network.load(mlp(random, [3, 4, 2]))
  t.teardown(() => network.dispose())
  const x = samples(random, [20, 3])
  const rows = counted(x)
  const wrong: [object, RegExp][] = [
    [{ ...rows, length: 19 }, /Expected 20, as its shape says, for x.length but received 19/],
    [{ ...rows, shape: [20, 4] }, /Expected the shape \(N, 3\) for x/],
    [{ ...rows, dtype: 'uint8' }, /float32 numbers for x .* type uint8; normalized, or --scale/],
    [{ ...rows, rows: () => counted(x).rows(0, 1) }, /array \(\d+, 3\) for rows 0 to \d+ of x/],
    [
      { ...rows, rows: () => Promise.reject(new RangeError('the disk is gone')) },
      /the disk is gone/,
    ],
  ]
  for (const [source, sentence] of wrong) {
    await t.throwsAsync(network.ntk(source as ArraySource), { message: sentence })
  }
  const late = x.data.slice()
  late[3 * 17 + 1] = Number.NaN
  const nan = counted({ data: late, shape: [20, 3] })
  await t.throwsAsync(network.ntk(nan), {
    instanceOf: TangentError,
    message: /finite numbers for x but received NaN at \[17, 1\]/,
  })
  // Asked for until nobody waits any more.
  const stop = new AbortController()
  const slow = {
    ...rows,
    rows: (first: number, count: number) => {
      if (first + count > 3) setTimeout(() => stop.abort(), 20)
      return first + count > 3 ? new Promise<NdArray>(() => {}) : counted(x).rows(first, count)
    },
  }
  const error = await network.ntk(slow, { signal: stop.signal }).catch((reason: Error) => reason)
  t.is((error as Error).name, 'AbortError')
  t.deepEqual((await network.ntk(counted(x))).data, (await network.ntk(x)).data)
})
