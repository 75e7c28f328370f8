// If, Loop and Scan on the way from the parameters to the outputs are written out: derivatives
// know plain operators only. What constants and known sizes decide is decided when a file is
// opened, the rest by running on samples.

import { TangentError } from '../core/errors.js'
import { quote } from '../core/quote.js'
import { shapeSize } from '../core/shape.js'
import { hypotheses, type Place } from '../graph/axes.js'
import { constantTensor } from '../graph/constants.js'
import { prepareGraph, type TyingOptions } from '../graph/prepare.js'
import { constantsByRole } from '../graph/stored.js'
import { zeros } from '../io/index.js'
import { native } from '../native/index.js'
import {
  type AxisOptions,
  type OnnxModel,
  titleOf,
  type ValueInfo,
  valueInfo,
} from '../onnx/index.js'
import { TensorProto_DataType as DataType, type NodeProto } from '../protobuf/index.js'
import type { Feed, FeedArray } from '../runtime/protocol.js'
import { type AnswerOptions, decisionsOf } from './answer.js'
import { bodySize, holdsControl, isComplete, isControl, unrolledLimit } from './bodies.js'
import { type Dependence, Dependences } from './depends.js'
import { hoistConstants } from './hoist.js'
import { type Decision, writeOut } from './write.js'

/** Why a node cannot be written out, and what to do. */
export interface ControlRefusal {
  why: string
  remedy: string
}

/** What is left of a model's control flow once it was opened. */
export interface ControlFlow {
  /** By the node's title. */
  refused: ReadonlyMap<string, ControlRefusal>
  /** Are there nodes that only samples decide? */
  pending: boolean
  /** The model with all branches of the pending nodes side by side: to tell parameters, not to run. */
  whole: OnnxModel
}

export interface ControlModel extends OnnxModel {
  readonly control?: ControlFlow
}

/** The options without names that the model does not know in this form. */
export function knownNames<T extends TyingOptions>(options: T, { graph }: OnnxModel): T {
  const names = new Set([
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ])
  const known = <V>(given: V | readonly string[]) =>
    Array.isArray(given) ? given.filter((name) => names.has(name)) : (given as V)
  const { tied, untied, constants } = options
  return { ...options, tied: known(tied), untied: known(untied), constants: known(constants) }
}

/** Nodes of the main graph that derivatives would pass, those refused left out. */
function onTheWay(
  model: OnnxModel,
  options: TyingOptions,
  refused: ReadonlyMap<string, unknown>,
): NodeProto[] {
  // What is incomplete is left to the rules, which refuse it.
  const open = model.graph.node.filter(
    (node) => isControl(node) && isComplete(node) && !refused.has(titleOf(node)),
  )
  if (open.length === 0) return []
  const known = knownNames(options, model)
  // What reads a Constant cannot be told before its branch is written out: any may be a weight.
  const matrices = options.constants === 'none' ? [] : storedMatrices(model)
  const prepared = prepareGraph(model, { ...known, named: matrices })
  const constants = constantsByRole(prepared)
  const candidates = prepared.weights.filter((weight) => !constants.has(weight)).map(({ id }) => id)
  const carrying = new Set<string>()
  for (const name of prepared.outputs) {
    const output = prepared.ids.get(name) as number
    for (const index of native.createEngine(prepared.native, candidates, output).analysis.nodes) {
      for (const value of prepared.nodes[index]?.output ?? []) carrying.add(value)
    }
  }
  carrying.delete('')
  return open.filter(({ output }) => output.some((name) => carrying.has(name)))
}

const words: Readonly<Record<string, string>> = {
  If: 'its condition',
  Loop: 'its number of iterations',
  Scan: 'its number of iterations',
}

const remedies = {
  If: 'export the network without the condition, in the form that is wanted',
  Loop: 'export the network with a fixed number of iterations',
  Scan: 'export the network for a fixed length',
} as Record<string, string>

const byBatch = 'depends on the number of samples in a batch'

/** Rows of batches of 1, 2 and 3 samples, or of one alone. */
function batches(fixed: number, samples: number): number[][] {
  const counts = fixed === 1 ? [1] : [1, 2, 3]
  return counts.map((count) => Array.from({ length: count }, (_, row) => row % samples))
}

/** The state of a model whose control flow is being written out. */
class Settling {
  model: OnnxModel
  readonly refused: Map<string, ControlRefusal>
  /** What was decided, in words. */
  readonly told: string[] = []
  #unrolled = 0

  constructor(model: ControlModel) {
    this.model = model
    this.refused = new Map(model.control?.refused)
  }

  refuse(node: NodeProto, why: string, remedy = remedies[node.opType] ?? ''): void {
    this.refused.set(titleOf(node), { why, remedy })
  }

  /** Nodes that are neither written out nor refused; those that chance decides are. */
  open(options: TyingOptions): { nodes: NodeProto[]; dependences: Dependences } {
    const dependences = new Dependences(this.model)
    const nodes = onTheWay(this.model, options, this.refused).filter((node) => {
      const { chance } = dependences.of(node)
      if (chance) this.refuse(node, `${words[node.opType]} depends on random numbers`)
      return !chance
    })
    return { nodes, dependences }
  }

  /** Writes nodes out by what each run said of them; runs that differ refuse a node. */
  write(
    answers: ReadonlyMap<NodeProto, readonly number[]>,
    differing: (run: number) => string,
  ): void {
    const decided = new Map<NodeProto, Decision>()
    for (const [node, runs] of answers) {
      const [first = 0] = runs
      const other = runs.findIndex((value) => value !== first)
      if (other > 0) {
        this.refuse(node, `${words[node.opType]} ${differing(other)}`)
      } else if (this.#fits(node, first)) {
        decided.set(node, first)
        this.told.push(inWords(node, first))
      }
    }
    if (decided.size > 0) this.model = writeOut(this.model, decided)
  }

  #fits(node: NodeProto, count: number): boolean {
    if (node.opType === 'If') return true
    const states = node.opType === 'Loop' ? node.input.length - 2 : scanStates(node)
    if (count === 0 && node.output.slice(states).some((name) => name !== '')) {
      this.refuse(node, 'its body never runs, so that what it collects has no shape')
      return false
    }
    const size = count * bodySize(node)
    if (this.#unrolled + size > unrolledLimit || count > unrolledLimit) {
      const times = count > unrolledLimit ? `more than ${unrolledLimit}` : count
      this.refuse(
        node,
        `its ${times} iterations would be written out as more than ${unrolledLimit} nodes in all`,
        'export the network for a shorter length, or with a recurrent layer (LSTM, GRU, RNN)',
      )
      return false
    }
    this.#unrolled += size
    return true
  }
}

function scanStates(node: NodeProto): number {
  const count = Number(node.attribute.find(({ name }) => name === 'num_scan_inputs')?.i ?? 0n)
  return node.input.length - count
}

function inWords(node: NodeProto, count: number): string {
  const name = quote(titleOf(node))
  if (node.opType === 'If') return `If ${name} takes its ${count === 0 ? 'else' : 'then'} branch`
  return `${node.opType} ${name} is written out, ${count} ${count === 1 ? 'iteration' : 'iterations'}`
}

/** At most eight of the sentences, as one note. */
function noted(told: readonly string[], after = ''): string[] {
  if (told.length === 0) return []
  const more = told.length > 8 ? ` and ${told.length - 8} more` : ''
  return [`${told.slice(0, 8).join(', ')}${more}${after}`]
}

/** Where a model's inputs may hold their samples, the likeliest first. */
class Reading {
  readonly infos: readonly ValueInfo[]
  readonly places: readonly (readonly Place[])[]

  constructor({ graph, initializers, freedBatch }: OnnxModel, axes: AxisOptions) {
    this.infos = graph.input.map(valueInfo).filter(({ name }) => !initializers.has(name))
    this.places = hypotheses(this.infos, axes, freedBatch !== undefined)
  }

  /** Is the batch fixed at one sample? */
  get single(): boolean {
    return this.infos.some(({ shape }, k) => {
      const place = this.places[0]?.[k]
      return place === 'one' || (typeof place === 'number' && shape?.[place] === 1)
    })
  }

  /** Inputs of zeros; sizes that the file leaves open are 1. */
  blank(samples: number): Feed {
    const [arrays, shared]: [FeedArray[], FeedArray[]] = [[], []]
    this.infos.forEach(({ name, type, shape }, k) => {
      const place = this.places[0]?.[k] ?? 0
      if (type === null || type === 'float16' || type === 'bfloat16' || !shape) return
      const sizes = shape.map((size) => (typeof size === 'number' ? size : 1))
      const own = place === 'shared' ? sizes : [samples, ...without(sizes, place)]
      const length = shapeSize(own)
      const array = { name, type, shape: own, data: zeros(type, length) }
      if (place === 'shared') shared.push(array)
      else arrays.push({ ...array, axis: place === 'one' ? null : place })
    })
    return { samples, arrays, shared }
  }

  /** Are all sizes that it depends on known, other than the number of samples, wherever those lie? */
  knows({ numbers, shapes, chance }: Dependence): boolean {
    if (chance || numbers.size > 0) return false
    return this.infos.every(({ name, shape }, k) => {
      if (!shapes.has(name)) return true
      return this.places.every((places) =>
        shape?.every((size, axis) => axis === places[k] || typeof size === 'number'),
      )
    })
  }
}

function without(sizes: readonly number[], place: number | 'one'): number[] {
  return place === 'one' ? [...sizes] : sizes.toSpliced(place, 1)
}

/**
 * Writes out what constants and known sizes decide. Models without control flow are returned as
 * they are.
 */
export async function settleControlFlow(
  given: OnnxModel,
  options: TyingOptions & AxisOptions,
  how: AnswerOptions,
): Promise<ControlModel> {
  if (!holdsControl(given.graph)) return given
  const settling = new Settling(hoistConstants(given))
  const reading = new Reading(given, options)
  let pending: NodeProto[]
  for (;;) {
    const { model } = settling
    const { nodes, dependences } = settling.open(options)
    pending = nodes
    const ready = pending.filter((node) => reading.knows(dependences.of(node)))
    if (ready.length === 0) break
    const runs = batches(reading.single ? 1 : 0, 3)
    const answers = await decisionsOf(model, ready, reading.blank(3), runs, how)
    if (typeof answers === 'string') break
    settling.write(answers, () => byBatch)
  }
  const { model, refused, told } = settling
  const notes = [
    ...model.notes,
    ...noted(told),
    ...noted(
      pending.map((node) => `${node.opType} ${quote(titleOf(node))}`),
      ' is decided by the samples of each call',
    ),
  ]
  const whole = pending.length > 0 ? withAllBranches(model, options, refused) : model
  return { ...model, notes, control: { refused, pending: pending.length > 0, whole } }
}

/**
 * The model with the branches of the nodes that are pending side by side and the bodies as often as it
 * takes for everything to reach everything.
 */
function withAllBranches(
  given: OnnxModel,
  options: TyingOptions,
  refused: ReadonlyMap<string, ControlRefusal>,
): OnnxModel {
  let model = given
  for (;;) {
    const nodes = onTheWay(model, options, refused)
    if (nodes.length === 0 || model.graph.node.length > unrolledLimit) return model
    const decided = nodes.map((node): [NodeProto, Decision] => {
      if (node.opType === 'If') return [node, 'both']
      return [node, 1 + (node.opType === 'Loop' ? node.input.length - 2 : scanStates(node))]
    })
    model = writeOut(model, new Map(decided))
  }
}

/** A model as some samples want it. */
export interface Form {
  model: OnnxModel
  /** What was decided, in words: the same for the same form. */
  way: string
}

/**
 * Writes out what is pending by running it on samples. Where numbers decide every sample is asked by
 * itself, and where shapes do batches of 1, 2 and 3 samples.
 * @param fixed 1 where samples are run one by one, else 0.
 * @throws TangentError UNSUPPORTED that names the nodes on which samples disagree.
 */
export async function settleOnSamples(
  given: ControlModel,
  x: Feed,
  fixed: number,
  options: TyingOptions,
  how: AnswerOptions,
): Promise<Form> {
  const settling = new Settling(given)
  // Nothing is pending in the form that comes out.
  settling.model = { ...given, control: undefined } as OnnxModel
  const known = new Set(settling.refused.keys())
  const each = Array.from({ length: x.samples }, (_, row) => [row])
  for (;;) {
    const { nodes, dependences } = settling.open(options)
    const same = new Set(x.shared?.map(({ name }) => name))
    const byNumbers = (node: NodeProto) =>
      [...dependences.of(node).numbers].some((name) => !same.has(name))
    const ask = async (
      asked: NodeProto[],
      runs: number[][],
      differing: (run: number) => string,
    ) => {
      if (asked.length === 0) return
      const answers = await decisionsOf(settling.model, asked, x, runs, how)
      if (typeof answers === 'string') throw cannotRun(asked, answers)
      settling.write(answers, differing)
    }
    // Written out, a node is another one: those of the other kind are looked for again.
    const some = nodes.filter(byNumbers)
    if (some.length > 0) await ask(some, each, (run) => `differs between samples 0 and ${run}`)
    else await ask(nodes, batches(fixed, x.samples), () => byBatch)
    const refused = [...settling.refused].filter(([name]) => !known.has(name))
    if (refused.length > 0) throw refusal(refused)
    if (nodes.length === 0) break
  }
  return { model: settling.model, way: settling.told.join('; ') }
}

function cannotRun(nodes: readonly NodeProto[], why: string): TangentError {
  const names = nodes.map((node) => quote(titleOf(node))).join(', ')
  return new TangentError(
    'BAD_INPUT',
    `Expected samples on which the conditions of ${names} can be computed but onnxruntime cannot: ${why}`,
  )
}

function refusal(refused: readonly [string, ControlRefusal][]): TangentError {
  const parts = refused.map(([name, { why, remedy }]) => `${quote(name)}: ${why}; ${remedy}`)
  return new TangentError(
    'UNSUPPORTED',
    `Expected samples that all take the same way through the network but they do not: ${parts.join(' | ')}`,
  )
}

/** Float Constant nodes of two dimensions and more. */
function storedMatrices({ graph }: OnnxModel): string[] {
  return graph.node.flatMap((node) => {
    const tensor = constantTensor(node)
    const matrix = tensor?.dataType === DataType.FLOAT && tensor.dims.length > 1
    return matrix ? [node.output[0] ?? ''] : []
  })
}
