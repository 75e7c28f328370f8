// Kernel measures along checkpoints: against plain computations in double, and closed forms.
import test from 'ava'
import {
  type AlongOptions,
  alignmentAlong,
  type CheckpointAlignment,
  type Checkpoints,
  type KernelMeasures,
  type NdArray,
  type Network,
} from '../../lib/index.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { floats, model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import {
  centre,
  combine,
  cosine,
  eigen,
  inner,
  product,
  type Rows,
  rowsOf,
  transposed,
} from './plain.js'

type Weights = Map<string, NdArray>

/** Weights of `count` moments, each a step from the one before. */
function walk(network: Network, random: Random, count: number, size: number): Weights[] {
  const steps: Weights[] = []
  let present = new Map<string, Float32Array>(
    network.parameters.map(({ name }) => [name, network.weight(name).data]),
  )
  for (let k = 0; k < count; k += 1) {
    steps.push(
      new Map(
        network.parameters.map(({ name, shape }) => [
          name,
          { data: present.get(name) as Float32Array, shape: [...shape] },
        ]),
      ),
    )
    present = new Map(
      [...present].map(([name, data]) => [name, data.map((w) => w + size * random.normal())]),
    )
  }
  return steps
}

async function all(
  network: Network,
  x: NdArray,
  checkpoints: Checkpoints,
  options: AlongOptions,
): Promise<CheckpointAlignment[]> {
  const items: CheckpointAlignment[] = []
  for await (const item of alignmentAlong(network, x, checkpoints, options)) items.push(item)
  return items
}

interface Truth {
  kernel: Rows
  initial: Rows
  previous: Rows | undefined
  /** (rows, columns) */
  learned: Rows
  labels: Rows
}

/** Energies that were compared. */
let compared = 0

const gram = (factor: Rows) => product(factor, transposed(factor))

function check(
  near: (value: number | null | undefined, truth: number, what: string) => void,
  found: KernelMeasures,
  { kernel, initial, previous, learned, labels }: Truth,
  top: readonly number[],
): void {
  const norm = Math.sqrt(inner(kernel, kernel))
  // The last bias has the same features at all samples: nothing is left of its trace kernel.
  const constant = inner(centre(kernel), centre(kernel)) < 1e-20 * norm ** 2
  const missing = (value: number | null | undefined) => near(value === null ? 0 : 1, 0, 'missing')
  const trace = kernel.reduce((sum, row, i) => sum + (row[i] as number), 0)
  near(found.trace / norm, trace / norm, 'trace')
  near(found.norm / norm, 1, 'norm')
  near(found.participationRatio, trace ** 2 / norm ** 2, 'participation ratio')
  const { values, vectors } = eigen(kernel)
  const sum = values.reduce((total, value) => total + Math.max(value, 0), 0)
  const entropy = values.reduce(
    (total, value) => total - (value > 0 ? (value / sum) * Math.log(value / sum) : 0),
    0,
  )
  near(found.effectiveRank, Math.exp(entropy), 'effective rank')
  values.forEach((value, j) => {
    near((found.eigenvalues?.[j] as number) / norm, value / norm, `λ${j}`)
  })
  for (const [name, factor, measured] of [
    ['learned', learned, found.learned],
    ['labels', labels, found.labels],
  ] as const) {
    const target = gram(factor)
    near(measured?.alignment, cosine(kernel, target), `${name} alignment`)
    if (constant) missing(measured?.centred)
    else near(measured?.centred, cosine(centre(kernel), centre(target)), `${name} centred`)
    const projected = product(vectors, factor).map((row) => row.reduce((s, v) => s + v * v, 0))
    const energy = factor.flat().reduce((s, v) => s + v * v, 0)
    const rounding = Math.max(1e-7 * (values[0] as number), -(values.at(-1) as number))
    top.forEach((k, at) => {
      const [last = 0, next = 0] = [values[k - 1], values[k]]
      // Of equal eigenvalues, and of those about to be left out, which vector comes first is arbitrary.
      if (Math.abs(last - next) < 1e-5 * (values[0] as number) && next > 1e-9 * norm) return
      if (values.some((value) => value > rounding / 4 && value < 4 * rounding)) return
      compared += 1
      const share =
        projected
          .slice(0, k)
          .reduce((s, v, j) => ((values[j] as number) > rounding ? s + v : s), 0) / energy
      near(measured?.energy[at], share, `${name} energy in the top ${k}`)
    })
  }
  for (const [name, other, measured] of [
    ['initial', initial, found.initial],
    ['previous', previous, found.previous],
  ] as const) {
    if (!other) continue
    const gap = combine(kernel, other, (a, b) => a - b)
    near(measured?.alignment, cosine(kernel, other), `${name} alignment`)
    if (constant) missing(measured?.centred)
    else near(measured?.centred, cosine(centre(kernel), centre(other)), `${name} centred`)
    near(measured?.distance, Math.sqrt(inner(gap, gap) / inner(other, other)), `${name} distance`)
    near(measured?.rotation, 1 - cosine(kernel, other), `${name} rotation`)
    // The cosine's rounding is the angle's square.
    const angle = Math.acos(Math.min(1, cosine(kernel, other)))
    near((measured?.angle as number) ** 2, angle ** 2, `${name} angle`)
  }
  const target = gram(learned)
  const [aa, at, tt] = [inner(initial, initial), inner(initial, target), inner(target, target)]
  const [ka, kt] = [inner(kernel, initial), inner(kernel, target)]
  const determinant = aa * tt - at * at
  const [w0, w1] = [(ka * tt - kt * at) / determinant, (kt * aa - ka * at) / determinant]
  near(found.split?.initial, w0, 'w_0')
  near((found.split?.target as number) * Math.sqrt(tt / aa), w1 * Math.sqrt(tt / aa), 'w_1')
  const rest = combine(
    combine(kernel, initial, (k, a) => k - w0 * a),
    target,
    (k, t) => k - w1 * t,
  )
  near(found.split?.initialSize, (Math.abs(w0) * Math.sqrt(aa)) / norm, 'size of w_0 K_0')
  near(found.split?.targetSize, (Math.abs(w1) * Math.sqrt(tt)) / norm, 'size of w_1 K_ŷ')
  near(found.split?.rest, Math.sqrt(inner(rest, rest)) / norm, 'rest')
}

test('every measure is what its definition says, in total and by part', async (t) => {
  const random = new Random(11)
  const [n, o] = [11, 3]
  const network = await load(t, mlp(random, [4, 6, 5, o]))
  const x = samples(random, [n, 4])
  const classes = Array.from({ length: n }, (_, i) => (i * i + 1) % o)
  const target = { data: Int32Array.from(classes), shape: [n] }
  const steps = walk(network, random, 4, 0.2)
  const learned = samples(random, [n, o])
  const close = (value: number | null | undefined, truth: number, what: string) =>
    near(t, value, truth, { absolute: 2e-9 * (1 + Math.abs(truth)) }, what)
  const top = [1, 3, 40]
  for (const kernel of ['trace', 'full'] as const) {
    for (const by of ['layer', 'parameter', 'total'] as const) {
      const rows = kernel === 'trace' ? n : n * o
      if (kernel === 'full' && by === 'parameter') continue
      let initial: Map<string, Rows> | undefined
      let previous: Map<string, Rows> | undefined
      let outputs: ArrayLike<number> = []
      const options = { target, learned, kernel, by, top }
      for await (const item of alignmentAlong(network, x, steps, options)) {
        const kernels = new Map<string, Rows>([['total', rowsOf(item.kernels.total.data, rows)]])
        for (const [name, { data }] of item.kernels.parts) kernels.set(name, rowsOf(data, rows))
        if (item.index === 0) {
          initial = kernels
          outputs = item.outputs.data.slice()
        }
        const means = Array.from({ length: o }, (_, c) => classes.filter((k) => k === c).length / n)
        const oneHot = classes.map((k) => means.map((mean, c) => (k === c ? 1 : 0) - mean))
        const moved = classes.map((_, i) =>
          means.map((_, c) => (learned.data[i * o + c] as number) - (outputs[i * o + c] as number)),
        )
        const factor = (m: Rows) => (kernel === 'trace' ? m : m.flat().map((value) => [value]))
        for (const [name, rowsOfKernel] of kernels) {
          const found = name === 'total' ? item.total : (item.parts.get(name) as KernelMeasures)
          const where = (value: number | null | undefined, truth: number, what: string) =>
            close(value, truth, `${kernel} ${by} ${item.index} ${name} ${what}`)
          check(
            where,
            found,
            {
              kernel: rowsOfKernel,
              initial: initial?.get(name) as Rows,
              previous: previous?.get(name),
              learned: factor(moved),
              labels: factor(oneHot),
            },
            top,
          )
        }
        // The margin of ŷ: how far its largest score is above the next.
        const margins = classes.map((_, i) => {
          const [first = 0, second = 0] = [...learned.data.slice(i * o, (i + 1) * o)].sort(
            (a, b) => b - a,
          )
          return first - second
        })
        const nearest = margins.indexOf(Math.min(...margins))
        for (const [name, matrix] of kernels) {
          const own = matrix.map((row, r) => row[r] as number)
          const diagonal = classes.map((_, i) =>
            kernel === 'trace'
              ? (own[i] as number)
              : own.slice(i * o, (i + 1) * o).reduce((sum, value) => sum + value, 0),
          )
          const middle = [...diagonal].sort((a, b) => a - b)[(n - 1) / 2] as number
          const { margin } =
            name === 'total' ? item.total : (item.parts.get(name) as KernelMeasures)
          // Of a dead layer there is no middle to compare with.
          if (middle === 0) {
            t.is(margin, null)
            continue
          }
          close(margin?.near, (diagonal[nearest] as number) / middle, `${name} near`)
          close(margin?.peak, Math.max(...diagonal) / middle, `${name} peak`)
        }
        t.is(item.total.previous === null, item.index === 0)
        previous = kernels
      }
    }
  }
  t.true(compared > 100, `${compared} energies`)
})

test('the kernels are those of the checkpoints, and the parts add up', async (t) => {
  const random = new Random(12)
  const network = await load(t, mlp(random, [3, 5, 2]))
  const x = samples(random, [6, 3])
  const steps = walk(network, random, 3, 0.3)
  const expected = await Promise.all(
    steps.map(async (weights) => {
      const other = await network.withParameters(weights)
      t.teardown(() => other.dispose())
      return { kernel: await other.ntk(x, { kernel: 'trace' }), outputs: (await other.run(x)).data }
    }),
  )
  for (const block of [undefined, 1, 4]) {
    for await (const { index, kernels, outputs } of alignmentAlong(network, x, steps, { block })) {
      const truth = expected[index]
      const sum = kernels.total.data.map((_, e) =>
        [...kernels.parts.values()].reduce((part, { data }) => part + (data[e] as number), 0),
      )
      near(t, kernels.total.data, truth?.kernel.data, { absolute: 1e-4 })
      near(t, sum, truth?.kernel.data, { absolute: 1e-4 })
      t.deepEqual(
        [...outputs.data],
        [...((truth as NonNullable<typeof truth>).outputs as Float32Array)],
      )
    }
  }
})

test('neither blocks nor threads nor the method change the measures', async (t) => {
  const random = new Random(13)
  const network = await load(t, mlp(random, [4, 7, 3]))
  const x = samples(random, [70, 4])
  const target = samples(random, [70, 3])
  const steps = walk(network, random, 3, 0.1)
  const flat = (items: CheckpointAlignment[]): number[] =>
    items.flatMap(({ total, parts }) =>
      [total, ...parts.values()].flatMap((m) => [
        m.learned?.alignment ?? -1,
        m.labels?.centred ?? -1,
        m.initial.distance ?? -1,
        m.split?.initial ?? -1,
        m.effectiveRank ?? -1,
        ...(m.labels?.energy ?? []),
      ]),
    )
  const plain = flat(await all(network, x, steps, { target, top: [1, 3] }))
  for (const options of [
    { block: 1 },
    { block: 9 },
    { threads: 1 },
    { method: 'jacobian' as const },
  ]) {
    const other = flat(await all(network, x, steps, { target, top: [1, 3], ...options }))
    near(t, other, plain, { absolute: 2e-4 })
  }
  t.is(
    flat(await all(network, x, steps, { target, top: [1, 3] })).join(),
    plain.join(),
    'the same bits again',
  )
})

/** y = x Wᵀ + b. */
const linear = (inputs: number, outputs: number, bias: boolean): Uint8Array =>
  model({
    nodes: [
      {
        op: 'Gemm',
        inputs: ['x', 'l.weight', ...(bias ? ['l.bias'] : [])],
        outputs: ['y'],
        attributes: { transB: 1 },
      },
    ],
    initializers: {
      'l.weight': floats([outputs, inputs], new Float32Array(outputs * inputs)),
      ...(bias ? { 'l.bias': floats([outputs], new Float32Array(outputs)) } : {}),
    },
    inputs: [{ name: 'x', shape: ['N', inputs] }],
    outputs: [{ name: 'y', shape: ['N', outputs] }],
  })

test('the kernel of a linear network stays as it is', async (t) => {
  const random = new Random(14)
  const network = await load(t, linear(4, 2, true))
  const x = samples(random, [9, 4])
  const items = await all(network, x, walk(network, random, 5, 1), {
    target: samples(random, [9, 2]),
  })
  t.is(items.length, 5)
  for (const { total, parts, index } of items) {
    for (const { initial, previous, split } of [total, ...parts.values()]) {
      t.is(initial.distance, 0)
      t.is(initial.rotation, 0)
      t.is(initial.angle, 0)
      near(t, initial.alignment, 1, { absolute: 1e-14 })
      near(t, split?.initial, 1, { absolute: 1e-12 })
      t.true((split?.rest as number) < 1e-12)
      if (index > 0) t.is(previous?.distance, 0)
    }
  }
})

test('a kernel yyᵀ is aligned with y in full; centring takes a constant off', async (t) => {
  const network = await load(t, linear(1, 1, false))
  const values = Float32Array.from([1, 2, -1, 4, 0.5])
  const x = { data: values, shape: [5, 1] }
  const [item] = await all(network, x, [network], { target: { data: values, shape: [5, 1] } })
  const { learned, labels, effectiveRank, split } = (item as CheckpointAlignment).total
  near(t, learned?.alignment, 1, { absolute: 1e-14 })
  near(t, learned?.energy[0], 1, { absolute: 1e-14 })
  near(t, effectiveRank, 1, { absolute: 1e-6 })
  t.true((labels?.alignment as number) < 0.9)
  near(t, labels?.centred, 1, { absolute: 1e-14 })
  // K_0 and K_ŷ are the same: K_0 takes it all.
  t.deepEqual([split?.initial, split?.target], [1, 0])

  // Inputs that are all the same: a constant kernel, which centring leaves nothing of.
  const same = { data: new Float32Array(4).fill(3), shape: [4, 1] }
  const target = { data: Float64Array.from([1, 2, 3, 4.5]), shape: [4] }
  const [flat] = await all(network, same, [network], { target })
  t.is(flat?.total.labels?.centred, null)
  t.is(flat?.total.initial.centred, null)
  near(t, flat?.total.labels?.alignment, 0, { absolute: 1e-14 })
})

test('a zero kernel has no direction, and says so', async (t) => {
  const network = await load(t, linear(2, 1, false))
  const x = { data: new Float32Array(6), shape: [3, 2] }
  const target = { data: Float64Array.from([1.5, 2, 3]), shape: [3] }
  const [item] = await all(network, x, [network, network], { target })
  const { trace, labels, initial, split, participationRatio, effectiveRank } = (
    item as CheckpointAlignment
  ).total
  t.is(trace, 0)
  t.is(labels?.alignment, null)
  t.is(initial.distance, null)
  t.is(split?.rest, null)
  t.deepEqual([participationRatio, effectiveRank], [0, 0])
})

test('a small turn is not lost to rounding', async (t) => {
  const random = new Random(15)
  const network = await load(t, mlp(random, [6, 9, 1]))
  const x = samples(random, [12, 6])
  const [, second] = await all(network, x, walk(network, random, 2, 1e-5), {})
  const { rotation, distance, angle } = second?.total.initial ?? {}
  t.true((rotation as number) > 0 && (rotation as number) < 1e-8)
  t.true((angle as number) <= 1.01 * (distance as number))
  t.is(second?.total.learned, null)
  t.is(second?.total.margin, null)
  t.is(second?.total.split, null)
})
