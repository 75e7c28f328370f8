import { availableParallelism } from 'node:os'
import { settleControlFlow } from '../control/settle.js'
import { badArgument } from '../core/errors.js'
import { defaultBudget, parseBytes } from '../core/memory.js'
import { checkCall } from '../core/options.js'
import { threadCount } from '../core/threads.js'
import type { Direction } from '../derivatives/direction.js'
import { type FeatureArrays, features, featuresTo } from '../derivatives/features.js'
import { jacobian, jacobianTo, type ParameterArrays } from '../derivatives/jacobian.js'
import { jvp } from '../derivatives/jvp.js'
import { normalProduct } from '../derivatives/normal.js'
import { type RunOptions, run, runTo } from '../derivatives/run.js'
import { type SinkOptions, toSink } from '../derivatives/tiles.js'
import { vjp } from '../derivatives/vjp.js'
import { ofWidth } from '../derivatives/width.js'
import { held, heldInputs, heldMap } from '../io/held.js'
import { type Floats, type NdArray, toFloat32 } from '../io/index.js'
import type { TileReport } from '../io/sink.js'
import { type GroupOptions, ntkGroups } from '../kernels/groups.js'
import type { TangentKernel } from '../kernels/kernel.js'
import { type NtkOptions, ntk, ntkTo, type TangentKernels } from '../kernels/ntk.js'
import { KernelOperator } from '../kernels/operator.js'
import { ntkProduct } from '../kernels/product.js'
import { secondArgument } from '../kernels/second.js'
import { Architecture, type Refusal } from '../model/architecture.js'
import { type BatchAxis, batchAxes } from '../model/axes.js'
import { type CallOptions, Core, cores, type DerivativeOptions } from '../model/core.js'
import type { Inputs } from '../model/inputs.js'
import { parameterNamed } from '../model/named.js'
import type { Parameter } from '../model/parameters.js'
import { type GraphValue, graphValues } from '../model/values.js'
import { otherWeights, ownWeights, type WeightSource } from '../model/weights.js'
import { type ChosenDevice, chooseDevice } from '../native/device.js'
import {
  type FileNote,
  inOwnMemory,
  openModel,
  replaceValues,
  type ValueInfo,
} from '../onnx/index.js'
import { warmUp } from '../runtime/thread.js'
import { notesOf, operatorsOf, problemOf } from './about.js'
import { LinearizedNetwork } from './linearize.js'
import { type LoadOptions, withOwnNames } from './load-options.js'

export type { LoadOptions } from './load-options.js'

type KernelCallOptions = NtkOptions & Partial<SinkOptions>

/**
 * A network read from an ONNX file, with the numbers of its parameters. Calls run off the JS
 * thread, one after another for networks that share an architecture.
 *
 * Samples lie along the axis where the file has its batch, mostly the first: {@link Network.batchAxes} tells, and
 * `batchAxis` and `shared` say it where a file does not. A file for one sample without a batch axis takes arrays with N
 * in front. Where the network's output has another shape than (N, O), it is seen as (N, O), other axes flattened.
 */
export class Network<F extends Floats = Float32Array> {
  readonly #core: Core
  readonly #options: LoadOptions

  private constructor(core: Core, options: LoadOptions) {
    this.#core = core
    this.#options = options
    cores.set(this, core)
    registry.register(this, core, this)
  }

  /**
   * Opens a model and checks that it can be differentiated. Nothing is computed.
   * @param source path of an ONNX file, or its bytes (which must not change afterwards).
   * @throws TangentError `BAD_FILE` when it is not a sound ONNX model, `UNSUPPORTED` with every
   *   operator in the way, `BAD_ARGUMENT` for an unknown output or parameter.
   * @example
   * ```js
   * import { Network } from 'adaptive-tangent'
   *
   * const network = await Network.load('examples/fashion-mnist/mlp_init.onnx', {
   *   frozen: /bias$/,
   * })
   * console.log(
   *   network.parameters
   *     .filter(({ frozen }) => !frozen)
   *     .map(({ name }) => name)
   *     .join(' '),
   * )
   * await network.dispose()
   * // net.1.weight net.3.weight net.5.weight net.7.weight net.9.weight
   * ```
   * @since 0.1.0
   */
  static load(
    source: string | Uint8Array | ArrayBuffer,
    options: LoadOptions & { float64: true },
  ): Promise<Network<Float64Array>>
  static load(source: string | Uint8Array | ArrayBuffer, options?: LoadOptions): Promise<Network>
  static async load(
    source: string | Uint8Array | ArrayBuffer,
    given: LoadOptions = {},
  ): Promise<Network<Floats>> {
    checkCall(given)
    const options = withOwnNames(given)
    if (
      typeof source !== 'string' &&
      !(source instanceof Uint8Array || source instanceof ArrayBuffer)
    ) {
      throw badArgument('source', 'a path, a Uint8Array or an ArrayBuffer', source)
    }
    const bytes = source instanceof ArrayBuffer ? new Uint8Array(source) : source
    const { externalData, batchAxis, shared } = options
    const folder = externalData === undefined ? {} : { folder: externalData }
    warmUp()
    const opened = inOwnMemory(await openModel(bytes, { ...folder, axes: { batchAxis, shared } }))
    const threads = threadCount(options.threads) ?? availableParallelism()
    const memory = options.memory === undefined ? defaultBudget() : parseBytes(options.memory)
    const model = await settleControlFlow(opened, options, { threads, memory })
    const architecture = new Architecture(model, options)
    if (options.unsupported !== 'defer') architecture.checkSupported()
    const weights = await ownWeights(model, architecture.fed)
    return new Network(new Core(architecture, weights, options), options)
  }

  /** The inputs that a call takes: names, types, shapes (a text or null: free). */
  get inputs(): readonly ValueInfo[] {
    return this.#core.architecture.inputs
  }

  /** Where calls that have code for it compute, and why; the others, and onnxruntime, use the CPU. `auto`: the last one. */
  get device(): ChosenDevice {
    return this.#core.chosen ?? chooseDevice(this.#core.device)
  }

  /** The outputs of the file. */
  get outputs(): readonly ValueInfo[] {
    return this.#core.architecture.outputs
  }

  /** Name of the value that is differentiated. */
  get output(): string {
    return this.#core.architecture.output
  }

  /**
   * The float values that the network computes on the way, the file's outputs first: what `output`
   * may name. Nothing is run; sizes that onnxruntime cannot infer are null.
   * @throws TangentError `DISPOSED`.
   * @example
   * ```js
   * import { Network } from 'adaptive-tangent'
   *
   * const network = await Network.load('examples/fashion-mnist/mlp_init.onnx')
   * for (const { name, shape } of (await network.values()).slice(0, 2))
   *   console.log(name, shape.join(' '))
   * await network.dispose()
   * // output N 10
   * // /net/net.0/Flatten_output_0 N 784
   * ```
   * @since 0.1.0
   */
  values(): Promise<GraphValue[]> {
    return graphValues(this.#core)
  }

  /** All parameters on a path to the output, frozen ones marked, in the file's order. */
  get parameters(): readonly Parameter[] {
    return this.#core.architecture.parameters
  }

  /** The operators of the graph and how often each occurs. */
  get operators(): ReadonlyMap<string, number> {
    return operatorsOf(this.#core.architecture)
  }

  /**
   * Stored floats that are taken for constants, and why: initializers that an exporter's notes say
   * are none of the parameters, weights that are exponents, bounds, running statistics or the like in
   * all their uses, Constant nodes that do not stand where weights stand. Naming one in `parameters`
   * or `constants` makes it a parameter.
   */
  get constants(): ReadonlyMap<string, string> {
    return this.#core.architecture.constants
  }

  /** What was changed when the file was read, and how samples are run, in sentences. */
  get notes(): readonly string[] {
    return notesOf(this.#core.architecture)
  }

  /**
   * Where every input and output holds its samples. Names and sizes tell it, or running the network
   * on numbers made up where they leave a doubt (`by` says how each is known).
   *
   * ```ts
   * const axes = await network.batchAxes()
   * console.log(axes.find(({ name }) => name === 'h0')?.axis) // 1
   * ```
   * @throws TangentError `BAD_ARGUMENT` for wrong options, `DISPOSED`; a DOMException named
   *   AbortError.
   * @example
   * ```js
   * import { Network } from 'adaptive-tangent'
   *
   * const network = await Network.load('examples/fashion-mnist/mlp_init.onnx')
   * for (const { kind, name, axis } of await network.batchAxes()) console.log(kind, name, axis)
   * await network.dispose()
   * // input input 0
   * // output output 0
   * ```
   * @since 0.1.0
   */
  async batchAxes(options: CallOptions = {}): Promise<BatchAxis[]> {
    checkCall(options)
    this.#core.checkAlive()
    return batchAxes(this.#core, options)
  }

  /** Nodes that cannot be differentiated; empty unless loaded with `unsupported: 'defer'`. */
  get refusals(): readonly Refusal[] {
    return this.#core.architecture.refusals
  }

  /** One sentence that says why derivatives are not possible, or null. */
  get problem(): string | null {
    return problemOf(this.#core.architecture)
  }

  /**
   * The numbers of a parameter: a copy, of the parameter's shape.
   * @throws TangentError `BAD_ARGUMENT` for a name that is no parameter, `DISPOSED`.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const [first] = network.parameters
   * console.log(first.name, network.weight(first.name).shape.join(' × '))
   * await network.dispose()
   * // dense1.weight 8 × 2
   * ```
   * @since 0.1.0
   */
  weight(name: string): NdArray<F> {
    this.#core.checkAlive()
    const parameter = parameterNamed(this.parameters, name)
    const data = parameter && this.#core.weights.get(parameter.name)
    if (!data) throw badArgument('name', 'a parameter of the network', name)
    return { data: data.slice() as F, shape: [...parameter.shape] }
  }

  /**
   * The network's output.
   * @param x N samples; one array, or one for each input by name.
   * @returns (N, O), in the output's own type.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const { shape } = await network.run({ data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] })
   * console.log(shape.join(' × '))
   * await network.dispose()
   * // 2 × 1
   * ```
   * @since 0.1.0
   */
  run(x: Inputs, options: RunOptions & SinkOptions): Promise<TileReport>
  run(x: Inputs, options?: RunOptions): Promise<NdArray>
  async run(
    x: Inputs,
    options: RunOptions & Partial<SinkOptions> = {},
  ): Promise<NdArray | TileReport> {
    checkCall(options)
    const own = heldInputs(x, 'x')
    return toSink(options) ? runTo(this.#core, own, options) : run(this.#core, own, options)
  }

  /**
   * The Jacobian ∂f_o(x_i)/∂θ by parameter.
   * @param options with a `sink` its rows go there, in tiles of samples, and are never whole in memory.
   * @returns by parameter name an array (N, O, …shape); with a sink what was done.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 3 }))
   * const jacobian = await network.jacobian({
   *   data: Float32Array.of(1, 0, 0, 1),
   *   shape: [2, 2],
   * })
   * for (const [name, { shape }] of jacobian) console.log(name, shape.join(' '))
   * await network.dispose()
   * // dense1.weight 2 3 8 2
   * // dense1.bias 2 3 8
   * // dense2.weight 2 3 3 8
   * // dense2.bias 2 3 3
   * ```
   * @since 0.1.0
   */
  jacobian(x: Inputs, options: DerivativeOptions & SinkOptions): Promise<TileReport>
  jacobian(x: Inputs, options?: DerivativeOptions): Promise<ParameterArrays<F>>
  async jacobian(
    x: Inputs,
    options: DerivativeOptions & Partial<SinkOptions> = {},
  ): Promise<ParameterArrays<F> | TileReport> {
    checkCall(options)
    const own = heldInputs(x, 'x')
    return toSink(options)
      ? jacobianTo(this.#core, own, options)
      : ofWidth(jacobian(this.#core, own, options))
  }

  /**
   * The tangent features in their smallest form: what the Jacobian holds, but a weight used as a
   * matrix stays in factors where that is smaller. The memory budget covers the result.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 3 }))
   * const features = await network.features({
   *   data: Float32Array.of(1, 0, 0, 1),
   *   shape: [2, 2],
   * })
   * for (const [name, { kind, shape }] of features) console.log(name, kind, shape.join(' × '))
   * await network.dispose()
   * // dense1.weight factors 8 × 2
   * // dense1.bias dense 8
   * // dense2.weight factors 3 × 8
   * // dense2.bias dense 3
   * ```
   * @since 0.1.0
   */
  features(x: Inputs, options: DerivativeOptions & SinkOptions): Promise<TileReport>
  features(x: Inputs, options?: DerivativeOptions): Promise<FeatureArrays<F>>
  async features(
    x: Inputs,
    options: DerivativeOptions & Partial<SinkOptions> = {},
  ): Promise<FeatureArrays<F> | TileReport> {
    checkCall(options)
    const own = heldInputs(x, 'x')
    return toSink(options)
      ? featuresTo(this.#core, own, options)
      : ofWidth(features(this.#core, own, options))
  }

  /**
   * Cotangents times Jacobian: Σ_i Σ_o u[i,o] ∂f_o(x_i)/∂θ.
   * @param cotangents u, (N, O).
   * @returns by parameter name an array of the parameter's shape.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   *
   * // The gradient of f(x_0) − f(x_1).
   * const gradient = await network.vjp(x, { data: Float32Array.of(1, -1), shape: [2, 1] })
   * for (const [name, { shape }] of gradient) console.log(name, shape.join(' × '))
   * await network.dispose()
   * // dense1.weight 8 × 2
   * // dense1.bias 8
   * // dense2.weight 1 × 8
   * // dense2.bias 1
   * ```
   * @since 0.1.0
   */
  async vjp(
    x: Inputs,
    cotangents: NdArray,
    options: DerivativeOptions = {},
  ): Promise<ParameterArrays<F>> {
    checkCall(options)
    return ofWidth(vjp(this.#core, heldInputs(x, 'x'), held(cotangents, 'cotangents'), options))
  }

  /**
   * Jacobian times a change of the parameters: the derivative of the output along it,
   * Σ_θ ∂f_o(x_i)/∂θ · Δθ, by one forward pass.
   * @param direction Δθ: by name of a parameter an array of its shape; those not named do not change.
   * @returns (N, O).
   * @throws TangentError `BAD_ARGUMENT` for an unknown or frozen parameter, or another shape.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const direction = new Map(
   *   network.parameters.map(({ name }) => [name, network.weight(name)]),
   * )
   * console.log((await network.jvp(x, direction)).shape.join(' × '))
   * await network.dispose()
   * // 2 × 1
   * ```
   * @since 0.1.0
   */
  async jvp(x: Inputs, direction: Direction, options: DerivativeOptions = {}): Promise<NdArray<F>> {
    checkCall(options)
    return ofWidth(jvp(this.#core, heldInputs(x, 'x'), heldMap(direction, 'direction'), options))
  }

  /**
   * Jᵀ(J Δθ), the Gauss–Newton product of squared loss: summed over the samples and outputs, one
   * pass there and one back.
   * @param direction as in {@link Network.jvp}.
   * @returns by parameter name an array of the parameter's shape.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const direction = new Map(
   *   network.parameters.map(({ name }) => [name, network.weight(name)]),
   * )
   * for (const [name, { shape }] of await network.normalProduct(x, direction))
   *   console.log(name, shape.join(' × '))
   * await network.dispose()
   * // dense1.weight 8 × 2
   * // dense1.bias 8
   * // dense2.weight 1 × 8
   * // dense2.bias 1
   * ```
   * @since 0.1.0
   */
  async normalProduct(
    x: Inputs,
    direction: Direction,
    options: DerivativeOptions = {},
  ): Promise<ParameterArrays<F>> {
    checkCall(options)
    return ofWidth(
      normalProduct(this.#core, heldInputs(x, 'x'), heldMap(direction, 'direction'), options),
    )
  }

  /**
   * The network as a linear function of its parameters around the present ones:
   * f(x; θ0) + J(x)·Δ. Nothing is computed before a prediction is asked for, and the Jacobian is
   * never formed. It lives as long as this network.
   * @throws TangentError `DISPOSED`.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const [linear, plain] = [
   *   await network.linearize().predict(x, new Map()),
   *   await network.run(x),
   * ]
   * console.log(linear.data.every((value, i) => Math.abs(value - plain.data[i]) < 1e-6))
   * await network.dispose()
   * // true
   * ```
   * @since 0.1.0
   */
  linearize(): LinearizedNetwork {
    this.#core.checkAlive()
    return new LinearizedNetwork(this.#core)
  }

  /**
   * The empirical tangent kernel of x with itself or with x2: sums over all parameters that are not
   * frozen.
   * @param options with a `sink` tiles of the kernel go there as they are finished; it is never whole in
   *   memory, and what the sink has is not computed again: see {@link TileSink}.
   * @returns one kernel, or with `by` a Map of the parts, which add up to it; with a sink what was done.
   * @throws TangentError `BAD_INPUT`, `MEMORY_BUDGET` (says what would fit), `BAD_ARGUMENT`;
   *   a DOMException named AbortError.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 3 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const kernel = await network.ntk(x) // (N, O, N, O)
   * const layers = await network.ntk(x, { kernel: 'trace', by: 'layer' })
   * console.log(kernel.shape.join(' '), [...layers.keys()].join(' '))
   * await network.dispose()
   * // 2 3 2 3 dense1 dense2
   * ```
   * @since 0.1.0
   */
  ntk(x: Inputs, options: NtkOptions & SinkOptions): Promise<TileReport>
  ntk(x: Inputs, x2: Inputs | undefined, options: NtkOptions & SinkOptions): Promise<TileReport>
  ntk(x: Inputs, options?: NtkOptions & { by?: 'total' | undefined }): Promise<TangentKernel<F>>
  ntk(x: Inputs, options: NtkOptions & { by: 'layer' | 'parameter' }): Promise<TangentKernels<F>>
  ntk(
    x: Inputs,
    x2: Inputs | undefined,
    options?: NtkOptions & { by?: 'total' | undefined },
  ): Promise<TangentKernel<F>>
  ntk(
    x: Inputs,
    x2: Inputs | undefined,
    options: NtkOptions & { by: 'layer' | 'parameter' },
  ): Promise<TangentKernels<F>>
  async ntk(
    x: Inputs,
    ...rest: [NtkOptions?] | [Inputs | undefined, NtkOptions?]
  ): Promise<TangentKernel<F> | TangentKernels<F> | TileReport> {
    const [x2, options] = secondArgument(rest) as [Inputs | undefined, KernelCallOptions]
    checkCall(options)
    if (toSink(options)) {
      return ntkTo(this.#core, heldInputs(x, 'x'), heldInputs(x2, 'x2'), options)
    }
    const kernels = await ofWidth<TangentKernels<F>>(
      ntk(this.#core, heldInputs(x, 'x'), heldInputs(x2, 'x2'), options),
    )
    const split = options.by ?? 'total'
    return split === 'total' ? (kernels.get('total') as TangentKernel<F>) : kernels
  }

  /**
   * K·v = J(Jᵀv) without forming K: one reverse pass and one forward for any number of samples and
   * outputs.
   * @param v (N, O), or (N, O, q) for q vectors.
   * @returns the products, of v's shape.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] }
   * const column = await network.ntkProduct(x, { data: Float32Array.of(1, 0), shape: [2, 1] })
   * const { data } = await network.ntk(x)
   * console.log(Math.abs(column.data[1] / data[2] - 1) < 1e-5)
   * await network.dispose()
   * // true
   * ```
   * @since 0.1.0
   */
  async ntkProduct(x: Inputs, v: NdArray, options: DerivativeOptions = {}): Promise<NdArray<F>> {
    checkCall(options)
    return ofWidth(ntkProduct(this.#core, heldInputs(x, 'x'), held(v, 'v'), options))
  }

  /**
   * Many small kernels in one call: samples [g·size, (g + 1)·size) are group g, and each group has its
   * kernel with itself. What {@link Network.ntk} gives of each group within rounding, without a call for
   * each: the groups share forward runs and passes back. Of `kernel: 'full'` it is the kernel's block diagonal.
   * @param size samples of a group; their number has to be a multiple of it.
   * @param options as of {@link Network.ntk}, without `by`.
   * @returns `full`: (groups, size, O, size, O); `trace`: (groups, size, size); `diagonal`:
   *   (groups, size, size, O).
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const { shape } = await network.ntkGroups(x, 2)
   * console.log(shape.join(' × '))
   * await network.dispose()
   * // 10 × 2 × 1 × 2 × 1
   * ```
   * @since 0.2.0
   */
  async ntkGroups(x: Inputs, size: number, options: GroupOptions = {}): Promise<NdArray<F>> {
    checkCall(options)
    return ofWidth(ntkGroups(this.#core, heldInputs(x, 'x'), size, options))
  }

  /**
   * The tangent kernel of x with itself as an operator that is never formed: its products, largest
   * eigenvalues, trace and eigenvalue density, for kernels too large to store.
   * @throws as {@link Network.ntk} does.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const x = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [20, 2] }
   * const operator = await network.kernelOperator(x)
   * const { values } = await operator.topEigenvalues({ count: 1 })
   * const [largest] = await (await network.ntk(x)).eigenvalues()
   * console.log(operator.size, Math.abs(values[0] / largest - 1) < 1e-4)
   * await network.dispose()
   * // 20 true
   * ```
   * @since 0.1.0
   */
  async kernelOperator(x: Inputs, options: DerivativeOptions = {}): Promise<KernelOperator> {
    checkCall(options)
    return KernelOperator.of(this.#core, heldInputs(x, 'x'), options)
  }

  /**
   * The same architecture with other weights. Shares this network's worker and sessions; dispose of
   * both.
   * @param source a Map from names of parameters to arrays (those not named keep their numbers), or
   *   the path of another export (`.onnx`) or checkpoint (`.safetensors`) of the same network, which
   *   must hold them all.
   * @throws TangentError `BAD_ARGUMENT` for names or shapes that do not fit, `BAD_FILE` for
   *   another architecture, `DISPOSED`.
   * @example
   * ```js
   * import { Network } from 'adaptive-tangent'
   *
   * const folder = 'examples/fashion-mnist'
   * const before = await Network.load(`${folder}/mlp_init.onnx`)
   * const after = await before.withParameters(`${folder}/mlp_trained.onnx`)
   * console.log(after.parameters.length)
   * await Promise.all([before.dispose(), after.dispose()])
   * // 10
   * ```
   * @since 0.1.0
   */
  async withParameters(source: WeightSource): Promise<Network<F>> {
    this.#core.checkAlive()
    const { architecture, weights } = this.#core
    const values = await otherWeights(architecture, weights, source, this.#options)
    this.#core.checkAlive()
    return new Network(new Core(architecture, values, this.#core), this.#options)
  }

  /**
   * The same network with the same weights, computed in float64; dispose of it, too.
   * @throws TangentError `UNSUPPORTED` naming the nodes that onnxruntime has in float32 only.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * const double = await network.inDouble()
   * const { data } = await double.run({ data: Float32Array.of(1, 0), shape: [1, 2] })
   * console.log(data.constructor.name)
   * await Promise.all([network.dispose(), double.dispose()])
   * // Float64Array
   * ```
   * @since 0.1.0
   */
  async inDouble(): Promise<Network<Float64Array>> {
    this.#core.checkAlive()
    const { architecture, weights, threads, memory, device } = this.#core
    const options = { ...this.#options, float64: true, precision: undefined }
    const double = new Architecture(architecture.model, options)
    double.checkSupported()
    return new Network<Float64Array>(
      new Core(double, weights, { threads, memory, device }),
      options,
    )
  }

  /**
   * The network as the bytes of an ONNX file: its own file with the present weights, stored inside.
   * @param note a description and metadata (`metadata_props`) for the file
   * @throws TangentError BAD_ARGUMENT when weights have no place in the file (uses distinguished
   *   by
   *   `untied`).
   * @example
   * ```js
   * import { buildMlp, Network, writeOnnx } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * await writeOnnx('copy.onnx', await network.toOnnx())
   * await network.dispose()
   * ```
   * @since 0.1.0
   */
  async toOnnx(note?: FileNote): Promise<Uint8Array> {
    this.#core.checkAlive()
    const { architecture, weights } = this.#core
    const values = new Map<string, NdArray>()
    for (const { name, shape } of architecture.fed) {
      values.set(name, toFloat32({ data: weights.get(name) as Floats, shape: [...shape] }))
    }
    return replaceValues(architecture.model, values, note)
  }

  /**
   * Gives the memory back; the last network of an architecture ends its worker.
   * @example
   * ```js
   * import { buildMlp, Network } from 'adaptive-tangent'
   *
   * const network = await Network.load(await buildMlp({ inputs: 2, hidden: [8], outputs: 1 }))
   * try {
   *   console.log(network.parameters.length)
   * } finally {
   *   await network.dispose()
   * }
   * // 4
   * ```
   * @since 0.1.0
   */
  async dispose(): Promise<void> {
    registry.unregister(this)
    await this.#core.dispose()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}

// A network that was dropped without dispose() must not keep its worker.
const registry = new FinalizationRegistry<Core>((core) => void core.dispose())
