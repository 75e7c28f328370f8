// What networks with the same file share: the graph, what is a parameter, the worker.

import { type ControlModel, knownNames } from '../control/settle.js'
import { badArgument, oneOf, TangentError } from '../core/errors.js'
import { didYouMean } from '../core/nearest.js'
import { quote } from '../core/quote.js'
import { shapeSize } from '../core/shape.js'
import { batchProblem, checkAxisOptions, hypotheses, namedAxis, type Place } from '../graph/axes.js'
import { asDouble } from '../graph/double/index.js'
import { namesOfValues } from '../graph/names.js'
import {
  type PreparedGraph,
  prepareGraph,
  type Weight,
  type WeightOptions,
} from '../graph/prepare.js'
import { listed, type Refusal } from '../graph/refusals.js'
import { skeleton } from '../graph/skeleton.js'
import {
  constantsByRole,
  constantsInWords,
  storageNotes,
  storedConstants,
} from '../graph/stored.js'
import { dtypeOf, isFloat, type NdArray, toFloat64 } from '../io/index.js'
import type { NativeAnalysis, NativeData } from '../native/index.js'
import {
  type AxisOptions,
  initializerData,
  type OnnxModel,
  type ValueInfo,
  valueInfo,
} from '../onnx/index.js'
import { isMember } from '../onnx/names.js'
import type { TensorProto } from '../protobuf/index.js'
import { Host } from '../runtime/host.js'
import type { Feed, PlanMessage } from '../runtime/protocol.js'
import { analyse } from './analyse.js'
import type { KnownParameter, Parameter, ParameterOptions } from './parameters.js'

export type { Refusal }

/** What a network is a function of: see docs/batches.md. */
export type BatchMode = 'each' | 'whole'

export interface ArchitectureOptions
  extends Omit<WeightOptions, keyof ParameterOptions>,
    AxisOptions,
    ParameterOptions {
  output?: string | undefined
  batch?: BatchMode | undefined
}

export class Architecture {
  readonly model: OnnxModel
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  /** The value that is differentiated: an output of the file, or any value that a node makes. */
  readonly output: string
  readonly parameters: readonly Parameter[]
  readonly refusals: readonly Refusal[]
  /** Why the network cannot be run on samples at all; undefined where it can. */
  readonly problem: string | undefined
  /** Computed in float64. */
  readonly double: boolean
  readonly host: Host
  /** Are all samples of a call one input of the function that is differentiated? */
  readonly whole: boolean
  /** Where the inputs may hold their samples, the likeliest first. */
  readonly hypotheses: readonly (readonly Place[])[]
  /** Where they do: known at once, or from the first call on. */
  places: readonly Place[] | undefined
  /** What the caller says of inputs and outputs. */
  readonly axes: AxisOptions
  /** Weights that are fed: all parameters, and running statistics, which belong to a checkpoint. */
  readonly fed: readonly Weight[]
  readonly analysis: NativeAnalysis
  readonly graph: PreparedGraph
  /** Are branches left to the samples of each call? */
  readonly pending: boolean
  readonly options: ArchitectureOptions
  readonly #known: readonly KnownParameter[]
  #valueNames: readonly string[] | undefined
  /** The same network with its branches taken, by the way through it. */
  readonly #forms = new Map<string, Architecture>()
  /** Weights that are constants by their role in all their uses, and which role. */
  readonly #roles: ReadonlyMap<Weight, string>
  #constants: ReadonlyMap<string, string> | undefined
  #statics: Promise<Pick<PlanMessage, 'statics' | 'small'>> | undefined
  /** Networks that share the worker. */
  #users = 0

  constructor(model: ControlModel, options: ArchitectureOptions) {
    this.model = model
    this.whole = oneOf<BatchMode>(options.batch, ['each', 'whole'], 'options.batch') === 'whole'
    this.options = options
    this.double = options.float64 === true
    this.pending = model.control?.pending ?? false
    const all = model.control?.whole ?? model
    this.graph = prepareGraph(all, options)
    const told = this.double ? asDouble : (info: ValueInfo) => info
    this.inputs = inputsOf(model, this.graph).map(told)
    this.outputs = model.graph.output.map((info) => told(valueInfo(info)))
    this.output = this.chooseOutput(options.output)
    checkAxisOptions(options, this.inputs, this.outputs)
    this.axes = { batchAxis: options.batchAxis, shared: options.shared }
    this.hypotheses = hypotheses(this.inputs, options, model.freedBatch !== undefined)
    this.places = this.hypotheses.length > 1 ? undefined : this.hypotheses[0]
    this.problem = batchProblem(this.inputs, this.hypotheses)
    this.#roles = constantsByRole(this.graph)
    const found = analyse(this.graph, this.#roles, this.output, model, options)
    this.#known = found.known
    this.parameters = this.#known.map(({ parameter }) => parameter)
    this.analysis = found.analysis
    this.refusals = found.refusals
    this.fed = found.fed
    const running = all === model ? this.graph : prepareGraph(model, knownNames(options, model))
    this.host = this.#start(running)
  }

  /** The worker of the graph that is run. */
  #start(running: PreparedGraph): Host {
    const { model, inputs, hypotheses: places } = this
    return new Host({
      skeleton: skeleton(model, running, this.fed, this.double),
      graph: running.native,
      inputs: inputs.map(({ name }) => ({ name, id: running.ids.get(name) as number })),
      free: inputs.some(({ shape }, k) => {
        const place = places[0]?.[k]
        return !shape || shape.some((size, axis) => axis !== place && typeof size !== 'number')
      }),
      double: this.double,
      outputs: this.graph.outputs.filter((name) => !isMember(name)),
      ...(model.folder === undefined ? {} : { folder: model.folder }),
    })
  }

  /** The architecture of the same network with its branches taken, made once for each way. */
  form(way: string, model: OnnxModel): Architecture {
    const known = this.#forms.get(way)
    if (known) return known
    const frozen = new Set(this.parameters.filter((entry) => entry.frozen).map(({ name }) => name))
    const { output } = this
    const form = new Architecture(model, {
      ...knownNames(this.options, model),
      output,
      parameters: undefined,
      frozen: ({ name }) => frozen.has(name),
      float64: this.double,
      named: [...this.graph.named, ...this.parameters.map(({ name }) => name)],
    })
    form.places ??= this.places
    form.retain()
    this.#forms.set(way, form)
    return form
  }

  /** Stored floats that are taken for constants and could be parameters, and why they are not. */
  get constants(): ReadonlyMap<string, string> {
    this.#constants ??= storedConstants(this.graph, this.#roles, this.output)
    return this.#constants
  }

  /** How the weights are stored where that matters to what is differentiated, in sentences. */
  get notes(): readonly string[] {
    return storageNotes(this.graph)
  }

  /** Parameters that are differentiated, in the order of the addon's results. */
  get active(): readonly KnownParameter[] {
    return this.#known.filter(({ parameter }) => !parameter.frozen)
  }

  /** Samples that the file fixes the batch at: 1, or several that are made free; 0 where it is free. */
  batch({ arrays }: Feed): number {
    const single = arrays.some(({ name, axis = 0 }) => {
      const info = this.inputs.find((input) => input.name === name)
      return axis === null || info?.shape?.[axis] === 1
    })
    return single ? 1 : (this.model.freedBatch ?? 0)
  }

  /** The axis of an output's samples, where the file names it. */
  outputAxis(name: string): number | undefined {
    const info = this.outputs.find((output) => output.name === name)
    // Where the batch was made free, the name is ours.
    if (!info || this.model.freedBatch !== undefined) return undefined
    return namedAxis(info, this.inputs, this.likely)
  }

  /** Where the inputs hold their samples, or are likely to. */
  get likely(): readonly Place[] {
    return this.places ?? this.hypotheses[0] ?? []
  }

  /** Names of all that may be run and differentiated: the outputs first, then what nodes make. */
  get valueNames(): readonly string[] {
    this.#valueNames ??= namesOfValues(this.graph)
    return this.#valueNames
  }

  /**
   * A value by name; the file's first output without one.
   * @throws TangentError BAD_ARGUMENT, with the names that are near.
   */
  chooseOutput(name: string | undefined): string {
    const names = this.outputs.map((info) => info.name)
    const output = name ?? (names[0] as string)
    if (typeof output === 'string' && this.valueNames.includes(output)) return output
    const listed = names.slice(0, 5).map(quote).join(', ')
    const more = names.length > 5 ? ', …' : ''
    const error = badArgument(
      'options.output',
      `an output of the network (${listed}${more}) or another value of its graph`,
      name,
    )
    throw new TangentError(error.code, `${error.message}${this.#hint(name)}`)
  }

  #hint(name: unknown): string {
    // An index where a name belongs.
    if (typeof name === 'string' && /^\d[\d,:]*$/.test(name)) {
      return `; did you mean --outputs ${name} (options.outputs: [${name}])?`
    }
    const near = didYouMean(name, this.valueNames)
    return near === '' ? '; info --values lists all values' : near
  }

  /** @throws TangentError UNSUPPORTED that lists every node in the way, or the lack of parameters. */
  checkSupported(): void {
    this.checkRunnable()
    const { refusals } = this
    if (refusals.length > 0) {
      throw new TangentError(
        'UNSUPPORTED',
        `Expected operators with a derivative between the parameters and output ${quote(this.output)} but ${refusals.length} ${refusals.length === 1 ? 'node has' : 'nodes have'} none: ${listed(refusals)}`,
      )
    }
    if (this.active.length === 0) {
      throw new TangentError(
        'UNSUPPORTED',
        `Expected a float32 parameter on a path to output ${quote(this.output)} but found none${this.#otherTypes()}`,
      )
    }
  }

  /** @throws TangentError UNSUPPORTED when samples cannot be fed. */
  checkRunnable(): void {
    if (this.problem !== undefined) throw new TangentError('UNSUPPORTED', this.problem)
  }

  #otherTypes(): string {
    if (this.#known.length > 0) return ': all are frozen'
    const constants = constantsInWords(this.graph, this.constants)
    if (constants !== '') return constants
    const halves = this.model.graph.initializer.filter(({ dataType }) =>
      [10, 11, 16].includes(dataType),
    )
    return halves.length > 0 ? '; its weights are of another float type: export it in float32' : ''
  }

  /** The plan's message to the worker. */
  async plan(): Promise<PlanMessage> {
    this.#statics ??= this.#readStatics()
    const candidates = this.active.map(({ weight }) => weight.id)
    return {
      candidates,
      output: this.graph.ids.get(this.output) as number,
      ...(await this.#statics),
    }
  }

  async #readStatics(): Promise<Pick<PlanMessage, 'statics' | 'small'>> {
    const fed = new Set(this.fed.map(({ id }) => id))
    const statics: PlanMessage['statics'] = []
    const small: PlanMessage['small'] = []
    const taps = new Set([...this.analysis.taps, ...this.analysis.forwardTaps])
    for (const [id, tensor] of this.graph.statics) {
      const isSmall = isSmallTensor(tensor)
      if (fed.has(id) || !(isSmall || taps.has(id))) continue
      const read = initializerData(this.model, tensor)
      // Small ones only help to tell what nodes do: of strings and the like nothing is told.
      const array = await (taps.has(id) ? read : read.catch(() => undefined))
      const data = array && staticData(this.double && isFloat(array) ? toFloat64(array) : array)
      if (!array || !data) continue
      if (taps.has(id)) statics.push({ id, shape: array.shape, data })
      if (isSmall) small.push({ id, numbers: Array.from(data as ArrayLike<number>, Number) })
    }
    return { statics, small }
  }

  retain(): void {
    this.#users += 1
  }

  async release(): Promise<void> {
    this.#users -= 1
    if (this.#users > 0) return
    await this.host.close()
    for (const form of this.#forms.values()) await form.release()
  }
}

/** What a call takes, with the axes that were made free. */
function inputsOf(model: OnnxModel, graph: PreparedGraph): ValueInfo[] {
  const infos = new Map(model.graph.input.map((info) => [info.name, valueInfo(info)]))
  const { freedBatch: size = 0, freedAxes } = model
  return graph.inputs.map((name) => {
    const info = infos.get(name) as ValueInfo
    const axis = freedAxes?.get(name)
    return axis === undefined ? info : { ...info, freed: { axis, size } }
  })
}

/** As long as a list of sizes, axes or scales. */
const isSmallTensor = ({ dims }: TensorProto) => shapeSize(dims.map(Number)) <= 32

/** Numbers as the addon takes them; undefined for another type, which onnxruntime gives then. */
function staticData(array: NdArray): NativeData | undefined {
  const type = dtypeOf(array)
  const fits =
    type === 'float32' ||
    type === 'float64' ||
    type === 'int64' ||
    type === 'int32' ||
    type === 'bool'
  return fits ? (array.data as NativeData) : undefined
}
