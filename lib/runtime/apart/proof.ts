// Do samples of a batch keep apart by what the operators are? Then one run of one sample tells the shapes
// of any number of samples, and no trial is needed (see independence.ts).
import type { NativeGraph, NativeNode } from '../../native/index.js'
import { shapeInFile } from '../feeds.js'
import type { InferredShape } from '../inferred.js'
import type { Feed, PlanMessage, WorkerInit } from '../protocol.js'
import type { Outcome } from '../session.js'
import { places, reshaping } from './moves.js'
import { At, along, type Known, type Part, same } from './parts.js'
import { reckon } from './reckoned.js'
import { hasRule, isFunction, partsOf } from './rules.js'
import { far } from './shapes.js'

/** What the proof is about. */
export interface Claim {
  init: Pick<WorkerInit, 'graph' | 'inputs'>
  inferred: ReadonlyMap<string, InferredShape>
  /** Small constants of the file. */
  small: PlanMessage['small']
  x: Feed
  /** Ids of weights that are fed. */
  fed: ReadonlyMap<number, unknown>
  /** Values that are looked at: what derivatives read, whose shapes they read, the output. */
  ids: readonly number[]
}

/** More than this many values to ask a run for would take longer than a trial. */
const mostAsked = 256

export class Proof {
  readonly #claim: Claim
  readonly #graph: NativeGraph
  /** In their order, those that the claim depends on. */
  readonly #nodes: NativeNode[]
  /** Names of values that the run of one sample has to tell. */
  readonly shapes: string[] = []
  readonly numbers: string[] = []
  readonly #small: ReadonlyMap<number, readonly number[]>
  /** Names of the sizes that are the number of samples. */
  readonly #counts: ReadonlySet<string>
  /** Is there a node of which onnxruntime may infer a wrong shape? */
  readonly #doubtful: boolean
  /** As far as it is known before anything runs. */
  #before: ReadonlyMap<number, Part> = new Map()
  /** What else is known of one sample, before anything runs. */
  readonly #reckoned: Known

  private constructor(claim: Claim) {
    this.#claim = claim
    this.#graph = claim.init.graph
    this.#small = new Map(claim.small.map(({ id, numbers }) => [id, numbers]))
    this.#nodes = needed(this.#graph, claim.ids)
    this.#counts = countsIn(claim.x, claim.inferred)
    this.#doubtful = this.#nodes.some((node) => isDoubtful(node, this.#small))
    const nothing = () => undefined
    this.#reckoned = { shape: nothing, numbers: nothing }
    this.#before = this.#walk(claim.x, nothing, nothing)
    if (!this.#doubtful) this.#reckoned = this.#reckon()
  }

  /** Undefined where an operator has no rule here. */
  static of(claim: Claim): Proof | undefined {
    const proof = new Proof(claim)
    return proof.#plan() ? proof : undefined
  }

  #nameOf = (id: number) => this.#graph.values[id]?.name ?? ''

  /** The shape for one sample where it is known before anything runs. */
  told(id: number): readonly number[] | undefined {
    return this.#inferred(id) ?? this.#reckoned.shape(id)
  }

  #inferred(id: number): readonly number[] | undefined {
    const { name = '', shape } = this.#graph.values[id] ?? {}
    if (shape) return shape
    const sizes = this.#claim.inferred.get(name)?.shape ?? []
    // Without dimensions the rank may not be known.
    if (sizes.length === 0 || this.#doubtful) return undefined
    const part = this.#before.get(id)
    const count = part?.kind === 'samples' ? part.axis : -1
    const known = sizes.map((size, k) => (this.#counts.has(`${size}`) || k === count ? 1 : size))
    return known.every((size) => typeof size === 'number') ? known : undefined
  }

  #reckon(): Known {
    const { x, init } = this.#claim
    const fed = new Map<string, readonly number[]>()
    for (const array of x.arrays) fed.set(array.name, shapeInFile(array, 1))
    for (const { name, shape } of x.shared ?? []) fed.set(name, shape)
    const inputs = new Map(init.inputs.map(({ name, id }) => [id, fed.get(name)]))
    return reckon(this.#nodes, {
      shape: (id) => inputs.get(id) ?? this.#inferred(id),
      numbers: (id) => this.#small.get(id),
      isWhole: (id) => this.#isWhole(id),
      admits: ({ op }, id, shape) => {
        const sizes = this.#claim.inferred.get(this.#nameOf(id))?.shape ?? []
        if (sizes.length === 0) return !writtenOut.has(op)
        return (
          sizes.length === shape.length &&
          sizes.every((size, k) => typeof size !== 'number' || size === shape[k])
        )
      },
    })
  }

  /** What the run has to tell. */
  #plan(): boolean {
    // Made of sizes and stored numbers; with the weights that are fed, whose numbers nobody knows here.
    const fixed = new Set<number>()
    const fixedOrFed = new Set<number>()
    for (const [id, { shape }] of this.#graph.values.entries()) {
      if (!shape) continue
      fixedOrFed.add(id)
      if (!this.#claim.fed.has(id)) fixed.add(id)
    }
    const [shapes, numbers] = [new Set<number>(), new Set<number>()]
    for (const node of this.#nodes) {
      const inputs = node.inputs.filter((id) => id >= 0)
      const ofSizes = node.op === 'Shape' || node.op === 'Size'
      for (const set of [fixed, fixedOrFed]) {
        if (!ofSizes && !inputs.every((id) => set.has(id))) continue
        if (isFunction(node)) for (const id of node.outputs) set.add(id)
      }
      if (node.outputs.every((id) => fixedOrFed.has(id))) continue
      if (!hasRule(node)) return false
      const compared = reshaping.has(node.op) ? [inputs[0] ?? -1, node.outputs[0] ?? -1] : []
      const asked = [...inputs.filter((id) => fixedOrFed.has(id)), ...compared]
      for (const id of asked) if (!this.told(id)) shapes.add(id)
      for (const id of writtenOut.has(node.op) ? node.outputs : [])
        if (this.#rank(id) === 0) shapes.add(id)
      for (const k of places.get(node.op) ?? []) {
        const id = node.inputs[k] ?? -1
        if (this.#graph.values[id]?.shape || this.#reckoned.numbers(id)) continue
        if (fixed.has(id) && this.#isWhole(id)) numbers.add(id)
      }
    }
    for (const id of numbers) this.numbers.push(this.#nameOf(id))
    for (const id of shapes) this.shapes.push(this.#nameOf(id))
    return shapes.size + numbers.size <= mostAsked
  }

  /** As onnxruntime infers it; 0 where it may not be known. */
  #rank(id: number): number {
    return this.#claim.inferred.get(this.#nameOf(id))?.shape.length ?? 0
  }

  #isWhole(id: number): boolean {
    return /^int(32|64)$/.test(this.#claim.inferred.get(this.#nameOf(id))?.type ?? '')
  }

  /**
   * Where the samples are in the values of the claim, by id; undefined where they may meet.
   * @param x the sample that was run
   */
  parts(x: Feed, { values, shapes }: Outcome): ReadonlyMap<number, Part> | undefined {
    const ran = (id: number) => {
      const name = this.#nameOf(id)
      return values.get(name)?.dims ?? shapes.get(name)
    }
    const made = this.#nodes.flatMap(({ outputs }) => outputs)
    if (!made.every((id) => isEqual(this.told(id), ran(id)))) return undefined
    // What else ran may follow weights that are fed, or inputs that samples share.
    const numbers = (id: number) => {
      const name = this.#nameOf(id)
      return this.numbers.includes(name) ? wholeNumbers(values.get(name)?.data) : undefined
    }
    const parts = this.#walk(x, ran, numbers)
    return this.#claim.ids.every((id) => parts.has(id)) ? parts : undefined
  }

  /** Node by node, with what a run told. */
  #walk(x: Feed, ran: Known['shape'], numbers: Known['numbers']): Map<number, Part> {
    const known: Known = {
      shape: (id) => ran(id) ?? this.told(id),
      numbers: (id) => this.#small.get(id) ?? numbers(id) ?? this.#reckoned.numbers(id),
    }
    const parts = this.#inputs(x)
    for (const node of this.#nodes) {
      const made = partsOf(new At(node, parts, known)) ?? []
      for (const [k, id] of node.outputs.entries()) {
        const part = made[k]
        const shape = ran(id) ?? this.#reckoned.shape(id)
        if (part && id >= 0 && fits(part, shape, this.#rank(id))) parts.set(id, part)
      }
    }
    return parts
  }

  #inputs(x: Feed): Map<number, Part> {
    const parts = new Map<number, Part>()
    this.#graph.values.forEach(({ shape }, id) => {
      if (shape) parts.set(id, same)
    })
    const idOf = new Map(this.#claim.init.inputs.map(({ name, id }) => [name, id]))
    for (const { name } of x.shared ?? []) parts.set(idOf.get(name) ?? -1, same)
    for (const { name, axis = 0, shape } of x.arrays) {
      const part = axis === null ? undefined : along(axis, shape.length)
      if (part) parts.set(idOf.get(name) ?? -1, part)
      else parts.delete(idOf.get(name) ?? -1)
    }
    return parts
  }
}

/** Names of sizes that are the number of samples wherever they stand. */
function countsIn(x: Feed, inferred: Claim['inferred']): ReadonlySet<string> {
  const [counts, others] = [new Set<string>(), new Set<string>()]
  for (const { name, axis = 0 } of [...x.arrays, ...(x.shared ?? []).map(shared)]) {
    inferred.get(name)?.shape.forEach((size, k) => {
      if (typeof size === 'string' && size !== '') (k === axis ? counts : others).add(size)
    })
  }
  for (const name of others) counts.delete(name)
  return counts
}

const shared = ({ name }: { name: string }) => ({ name, axis: null })

/** Is what is told what ran, where both are known? */
function isEqual(told: readonly number[] | undefined, ran: readonly number[] | undefined) {
  return !told || !ran || (told.length === ran.length && told.every((size, k) => size === ran[k]))
}

/**
 * May onnxruntime infer another shape than it makes? Of pooling whose sizes are rounded up, of an empty list to
 * squeeze, of a slice backwards to the largest number.
 */
function isDoubtful(
  { op, inputs, attributes: { ceil_mode: mode } }: NativeNode,
  small: ReadonlyMap<number, readonly number[]>,
): boolean {
  const list = (k: number) => small.get(inputs[k] ?? -1)
  if (op === 'Squeeze') return list(1)?.length === 0
  if (op === 'Slice')
    return list(2)?.some((end, k) => end >= far && (list(4)?.[k] ?? 1) < 0) ?? false
  return mode !== undefined && 'i' in mode && mode.i !== 0
}

/** Nodes that make these values, and what those need. */
function needed({ nodes }: NativeGraph, ids: readonly number[]): NativeNode[] {
  const wanted = new Set(ids)
  const found: NativeNode[] = []
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((id) => wanted.has(id))) continue
    for (const id of node.inputs) wanted.add(id)
    found.push(node)
  }
  return found.reverse()
}

/**
 * Operators that may stand for several nodes, which broadcast with numbers of any rank: see
 * graph/written-out.ts.
 */
export const writtenOut = new Set(['Gelu', 'LogSoftmax', 'Mish', 'Sigmoid', 'Softplus', 'Swish'])

/** Is a part what the shape for one sample shows? @param rank 0 where it is not known. */
function fits(part: Part, shape: readonly number[] | undefined, rank: number): boolean {
  if (part.kind === 'samples' && rank > 0 && part.rank !== rank) return false
  if (!shape || part.kind === 'same') return true
  if (part.kind === 'samples') return shape.length === part.rank && shape[part.axis] === 1
  return part.scalar ? shape.length === 0 : shape.length === 1 && shape[0] === part.samples.length
}

function wholeNumbers(data: unknown): number[] | undefined {
  const whole = data instanceof BigInt64Array || data instanceof Int32Array
  return whole ? Array.from(data as ArrayLike<number | bigint>, Number) : undefined
}
