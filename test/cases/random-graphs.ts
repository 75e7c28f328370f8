// Random small networks of operators that move, join and mix numbers, with what onnxruntime makes of each
// value in several batches.
import * as ort from '../../lib/native/onnxruntime.js'
import { fields, joined, message } from '../../lib/onnx/wire.js'
import { type ModelSpec, model, type NodeSpec, type Tensor } from '../support/onnx.js'
import { Random } from '../support/random.js'

/** Samples by place: each alone, and among others. */
export const batches = [[0], [1], [2], [0, 1, 2], [2, 0], [1, 0, 2, 1]] as const

/** A value by its name, in all batches. */
export interface Value {
  name: string
  runs: ort.Tensor[]
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)
const dims = ({ runs }: Value) => (runs[3] as ort.Tensor).dims
const isFloat = ({ runs }: Value) => runs[0]?.type === 'float32'
const isWhole = ({ runs }: Value) => runs[0]?.type === 'int64'

export class RandomGraph {
  readonly nodes: NodeSpec[] = []
  readonly initializers: Record<string, Tensor> = {}
  readonly values: Value[] = []
  readonly opset: number
  /** Of the input x: the axis of its samples, its other sizes, the numbers of each sample. */
  readonly axis: number
  readonly rest: number[]
  readonly rows: Float32Array[]
  readonly #random: Random
  #names = 0

  constructor(seed: number) {
    const r = new Random(seed)
    this.#random = r
    this.opset = r.pick([9, 11, 13, 17, 18, 20])
    this.axis = r.pick([0, 0, 1, 2])
    const rank = Math.max(this.axis, r.integer(1, 3))
    this.rest = Array.from({ length: rank }, () => r.pick([1, 2, 3, 3, 4]))
    this.rows = [0, 1, 2].map(() => r.normals(product(this.rest)))
    this.values.push({ name: 'x', runs: batches.map((batch) => this.#input(batch)) })
  }

  get spec(): ModelSpec {
    const { nodes, initializers, opset, axis, rest } = this
    const inputs = [{ name: 'x', shape: rest.toSpliced(axis, 0, 'N' as never) }]
    return { nodes, initializers, opset, inputs, outputs: [] }
  }

  #input(batch: readonly number[]): ort.Tensor {
    const inner = product(this.rest.slice(this.axis))
    const outer = product(this.rest.slice(0, this.axis))
    const data = new Float32Array(batch.length * inner * outer)
    for (let o = 0; o < outer; o += 1) {
      for (const [place, row] of batch.entries()) {
        const numbers = this.rows[row]?.subarray(o * inner, (o + 1) * inner) ?? []
        data.set(numbers, (o * batch.length + place) * inner)
      }
    }
    return new ort.Tensor('float32', data, this.rest.toSpliced(this.axis, 0, batch.length))
  }

  /** Adds nodes that run in every batch. */
  async grow(count: number): Promise<void> {
    for (let tries = 0; tries < 4 * count && this.nodes.length < count; tries += 1) {
      const node = this.#draw()
      const runs = node && (await this.#run(node).catch(() => undefined))
      const made = runs?.flatMap((run) => Object.values(run)) ?? []
      const fits = made.every(({ data }) => data.length > 0 && data.length < 4000)
      if (!node || !runs || !fits || made.length === 0) continue
      this.nodes.push(node)
      for (const name of node.outputs)
        this.values.push({ name, runs: runs.map((run) => run[name] as ort.Tensor) })
    }
  }

  async #run(node: NodeSpec): Promise<ort.Results[]> {
    const { spec } = this
    const outputs = node.outputs.map(
      (name) => [fields.graph.output, message([fields.value.name, name])] as const,
    )
    const bytes = joined([
      model({ ...spec, nodes: [...spec.nodes, node] }),
      message([fields.model.graph, message(...outputs)]),
    ])
    const session = await ort.InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
      graphOptimizationLevel: 'disabled',
    })
    try {
      const runs: ort.Results[] = []
      for (const batch of batches)
        runs.push(
          await session.run({ x: this.#input(batch) }, [...node.outputs], { logSeverityLevel: 4 }),
        )
      return runs
    } finally {
      await session.release()
    }
  }

  #constant(tensor: Tensor): string {
    this.#names += 1
    this.initializers[`c${this.#names}`] = tensor
    return `c${this.#names}`
  }

  #floats = (shape: readonly number[]) =>
    this.#constant({ type: 'float32', shape, data: this.#random.normals(product(shape)) })

  #ints = (data: readonly number[], shape: readonly number[] = [data.length]) =>
    this.#constant({ type: 'int64', shape, data })

  #node(
    op: string,
    inputs: readonly (string | Value | undefined)[],
    attributes: NodeSpec['attributes'] = {},
    outputs = 1,
  ): NodeSpec | undefined {
    // There may be no value of the kind yet.
    if (inputs.includes(undefined)) return undefined
    const made = Array.from({ length: outputs }, () => {
      this.#names += 1
      return `v${this.#names}`
    })
    const names = inputs.map((input) =>
      typeof input === 'object' ? input.name : (input as string),
    )
    return { op, inputs: names, outputs: made, attributes, name: `n_${made[0]}` }
  }

  /** An operator with a list that is an attribute before some opset and an input from it on. */
  #listed(op: string, x: Value, name: string, list: readonly number[], since: number, more = {}) {
    return this.opset < since
      ? this.#node(op, [x], { [name]: list, ...more })
      : this.#node(op, [x, this.#ints(list)], more)
  }

  /** Often the newest. */
  #value(is: (value: Value) => boolean = () => true): Value | undefined {
    const found = this.values.filter(is)
    if (found.length === 0) return undefined
    return this.#random.chance() ? found.at(-1) : this.#random.pick(found)
  }

  #axis(rank: number): number {
    const axis = this.#random.integer(0, rank - 1)
    return this.#random.chance(0.4) ? axis - rank : axis
  }

  /** Sizes that broadcast with these, or nearly. */
  #like(sizes: readonly number[]): number[] {
    const r = this.#random
    const start = r.chance(0.3) ? r.integer(0, sizes.length) : 0
    const own = sizes.slice(start).map((size) => (r.chance(0.4) ? 1 : size))
    return r.chance(0.15) ? [r.pick([1, 1, 3]), ...own] : own
  }

  #draw(): NodeSpec | undefined {
    const r = this.#random
    return r.pick([
      () => this.#numbers(),
      () => this.#numbers(),
      () => this.#layers(),
      () => this.#moved(),
      () => this.#moved(),
      () => this.#cut(),
      () => this.#shaped(),
      () => this.#shaped(),
    ])()
  }

  /** Entry by entry, and over an axis. */
  #numbers(): NodeSpec | undefined {
    const r = this.#random
    const x = this.#value((value) => isFloat(value) && dims(value).length > 0)
    if (!x) return undefined
    const rank = dims(x).length
    const other = r.chance() ? this.#value(isFloat) : this.#floats(this.#like(dims(x)))
    const keepdims = r.integer(0, 1)
    return r.pick([
      () => this.#node(r.pick(['Tanh', 'Sigmoid', 'Relu', 'Identity', 'Neg']), [x]),
      () => this.#node(r.pick(['Add', 'Mul', 'Max', 'Sub', 'PRelu']), [x, other]),
      () => this.#node(r.pick(['Add', 'Mul', 'Max', 'Sub']), [other, x]),
      () =>
        this.#node(r.pick(['Softmax', 'LogSoftmax', 'Hardmax']), [x], { axis: this.#axis(rank) }),
      () => this.#node('Softmax', [x]),
      () => this.#listed('ReduceSum', x, 'axes', [this.#axis(rank)], 13, { keepdims }),
      () => this.#listed('ReduceMean', x, 'axes', [this.#axis(rank), 0], 18, { keepdims }),
      () => this.#node('ArgMax', [x], { axis: this.#axis(rank), keepdims }),
      () => this.#node('CumSum', [x, this.#ints([this.#axis(rank)], [])]),
      () => this.#node('TopK', [x, this.#ints([1])], { axis: this.#axis(rank) }, 2),
    ])()
  }

  /** With weights. */
  #layers(): NodeSpec | undefined {
    const r = this.#random
    const x = this.#value((value) => isFloat(value) && dims(value).length > 1)
    if (!x) return undefined
    const sizes = dims(x)
    const [lead, space] = [this.#like(sizes.slice(0, -2)), sizes.slice(2)]
    const [rows = 1, columns = 1] = sizes.slice(-2)
    const channels = [sizes[1] ?? 1]
    const axis = this.#axis(sizes.length)
    const kernel = space.map(() => r.integer(1, 2))
    return r.pick([
      () => this.#node('MatMul', [x, this.#floats([...lead, columns, r.integer(1, 3)])]),
      () => this.#node('MatMul', [this.#floats([...lead, r.integer(1, 3), rows]), x]),
      () => this.#node('MatMul', [x, this.#value(isFloat)]),
      () =>
        this.#node('Gemm', [x, this.#floats([rows, 3]), this.#floats([columns, 1])], { transA: 1 }),
      () => this.#node('Gemm', [x, this.#floats([columns, 3]), this.#floats([1, 3])]),
      () => this.#node('LayerNormalization', [x, this.#floats(sizes.slice(axis))], { axis }),
      () =>
        this.#node('InstanceNormalization', [x, this.#floats(channels), this.#floats(channels)]),
      () => this.#node('Conv', [x, this.#floats([2, ...channels, ...kernel])]),
      () => this.#node('MaxPool', [x], { kernel_shape: kernel }),
      () => this.#node('GlobalAveragePool', [x]),
    ])()
  }

  #moved(): NodeSpec | undefined {
    const r = this.#random
    const x = this.#value()
    if (!x) return undefined
    const rank = dims(x).length
    const perm = [...Array(rank).keys()].sort(() => r.uniform() - 0.5)
    const ones = dims(x).flatMap((size, k) => (size === 1 ? [k] : []))
    const squeezed = ones.length > 0 && r.chance(0.9) ? [r.pick(ones)] : []
    return r.pick([
      () => this.#node('Transpose', [x], { perm }),
      () => this.#node('Transpose', [x], { perm }),
      () => this.#node('Flatten', [x], { axis: r.integer(0, rank) }),
      () => this.#listed('Unsqueeze', x, 'axes', [r.integer(0, rank)], 13),
      () => this.#listed('Squeeze', x, 'axes', squeezed, 13),
      () => this.#node('Squeeze', [x]),
      () => this.#node('Concat', [x, this.#value()], { axis: this.#axis(rank) }),
      () => this.#node('Cast', [x], { to: r.pick([1, 1, 7, 7, 9, 6]) }),
    ])()
  }

  #cut(): NodeSpec | undefined {
    const r = this.#random
    const x = this.#value((value) => dims(value).length > 0)
    if (!x) return undefined
    const rank = dims(x).length
    const axis = this.#axis(rank)
    const size = dims(x).at(axis) ?? 1
    const places = Array.from({ length: r.integer(1, 2) }, () => r.integer(-size, size - 1))
    const [start, end] = [r.pick([0, 0, 1, -1]), r.pick([1, 2, -1, 2147483647, 2147483647])]
    const pads = Array.from({ length: 2 * rank }, () => r.pick([0, 0, 0, 1, -1]))
    const slice = [this.#ints([start]), this.#ints([end]), this.#ints([axis])]
    return r.pick([
      () => this.#node('Gather', [x, this.#ints(places)], { axis }),
      () => this.#node('Gather', [x, this.#ints([places[0] ?? 0], [])], { axis }),
      () => this.#node('Gather', [this.#floats([3, 3]), this.#value(isWhole)]),
      () => this.#node('Slice', [x, ...slice, this.#ints([r.pick([1, 1, 2, -1])])]),
      () => this.#node('Split', [x], { axis }),
      () => this.#listed('Pad', x, 'pads', pads, 11),
      () => this.#node('Tile', [x, this.#ints(dims(x).map(() => r.pick([1, 1, 2])))]),
    ])()
  }

  /** Shapes, and what is made of them. */
  #shaped(): NodeSpec | undefined {
    const r = this.#random
    const x = this.#value((value) => isFloat(value) && dims(value).length > 0)
    const list = this.#value((value) => isWhole(value) && dims(value).length === 1)
    if (!x) return undefined
    const target = Array.from({ length: r.integer(1, 4) }, (_, k) => {
      return r.pick([0, 0, dims(x)[k] ?? 1, 1, 2, 3])
    })
    if (r.chance(0.8)) target[r.integer(0, target.length - 1)] = -1
    const more = this.#ints(r.pick([[-1], [0], [1], [1, 2]]))
    const lists = [list, r.chance() ? list : more, more].slice(0, r.integer(2, 3))
    if (!list) return this.#node('Shape', [x])
    return r.pick([
      () => this.#node('Shape', [x]),
      () => this.#node('Reshape', [x, this.#ints(target)]),
      () => this.#node('Reshape', [x, this.#ints(target)]),
      () => this.#node('Reshape', [x, list]),
      () => this.#node('Expand', [r.chance() ? x : this.#floats([1]), list]),
      () => this.#node('Expand', [x, this.#ints(this.#like(dims(x)))]),
      () => this.#node('ConstantOfShape', [list]),
      () => this.#node('Gather', [list, this.#ints([r.integer(0, 1)])]),
      () => this.#node('Concat', r.chance() ? lists : [more, list], { axis: 0 }),
      () => this.#node('Slice', [list, this.#ints([0]), this.#ints([r.pick([1, 2, -1])])]),
    ])()
  }
}
