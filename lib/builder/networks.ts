// The paper's networks as ONNX models, at any size.

import { badArgument } from '../core/errors.js'
import { checkCall } from '../core/options.js'
import { shapeSize } from '../core/shape.js'
import { writeFileAtomic } from '../io/write.js'
import { checkDraw, type DrawOptions } from './draw.js'
import { type LayerScale, ModelBuilder } from './graph.js'

/** Common to all networks that are built. */
export interface BuildOptions extends DrawOptions {
  /** Layers with biases (default: true). */
  bias?: boolean | undefined
  /**
   * `standard` (default): W x + b. `ntk`: σ_w/√fan-in · W x + σ_b · b with weights of variance 1, so
   * that the tangent kernel has a limit in the width (Jacot et al. 2018); the factors are part of
   * the graph.
   */
  parameterization?: 'standard' | 'ntk' | undefined
  /** σ_w (default √2, at which ReLU layers keep their inputs' size); `ntk` only. */
  weightScale?: number | undefined
  /** σ_b (default 0.1); `ntk` only. */
  biasScale?: number | undefined
}

/** Options of {@link buildMlp}. */
export interface MlpOptions extends BuildOptions {
  /** Numbers of a sample, or its shape: it is flattened then. */
  inputs: number | readonly number[]
  /** Widths of the hidden layers; empty: a linear model. */
  hidden: readonly number[]
  outputs: number
}

/** Options of {@link buildCnn}. */
export interface CnnOptions extends BuildOptions {
  /** Channels, height and width of an image. */
  image: readonly [channels: number, height: number, width: number]
  /** w: the convolutions have w, 2w, 4w and 8w channels. */
  width: number
  outputs: number
  /** Widths of the hidden dense layers (default [8w, 8w]). */
  dense?: readonly number[] | undefined
}

/**
 * A ReLU network of dense layers as an ONNX file: input `x` (N, …inputs), output `y` (N, outputs),
 * weights `dense<k>.weight` (out, in) and `dense<k>.bias`, k from 1, drawn as told.
 * @returns the file's bytes, for {@link Network.load} or {@link writeOnnx}.
 * @throws TangentError `BAD_ARGUMENT`; `TOO_LARGE` for a file beyond 2 GiB.
 * @example
 * ```js
 * import { buildMlp, Network } from 'adaptive-tangent'
 *
 * const bytes = await buildMlp({ inputs: 2, hidden: [16, 16], outputs: 1 })
 * const network = await Network.load(bytes)
 * for (const { name, shape } of network.parameters) console.log(name, shape.join(' × '))
 * await network.dispose()
 * // dense1.weight 16 × 2
 * // dense1.bias 16
 * // dense2.weight 16 × 16
 * // dense2.bias 16
 * // dense3.weight 1 × 16
 * // dense3.bias 1
 * ```
 * @since 0.1.0
 */
export async function buildMlp(options: MlpOptions): Promise<Uint8Array<ArrayBuffer>> {
  checkCall(options)
  const { inputs, hidden, outputs } = options
  const shape = typeof inputs === 'number' ? [inputs] : inputs
  sizes('options.inputs', shape)
  sizes('options.hidden', hidden)
  sizes('options.outputs', [outputs])
  const { builder, draw } = begin(options)
  const size = shapeSize(shape)
  const flat = shape.length > 1 ? builder.node('Flatten', 'flat', ['x']) : 'x'
  dense(builder, flat, [size, ...hidden, outputs])
  return builder.build(
    { name: 'x', shape: ['N', ...shape] },
    { name: 'y', shape: ['N', outputs] },
    draw,
  )
}

/**
 * The paper's convolutional network as an ONNX file: four times a 3×3 convolution, ReLU and 2×2
 * average pooling, then dense layers with ReLU between them. Input `x` (N, channels, height, width),
 * output `y` (N, outputs), weights `conv<k>.weight`, `dense<k>.weight` and their biases.
 * @throws TangentError as {@link buildMlp}, and for images below 16 × 16.
 * @example
 * ```js
 * import { buildCnn, Network } from 'adaptive-tangent'
 *
 * const bytes = await buildCnn({ image: [1, 28, 28], width: 8, outputs: 10 })
 * const network = await Network.load(bytes)
 * console.log(network.inputs[0].shape.join(' '), '→', network.outputs[0].shape.join(' '))
 * await network.dispose()
 * // N 1 28 28 → N 10
 * ```
 * @since 0.1.0
 */
export async function buildCnn(options: CnnOptions): Promise<Uint8Array<ArrayBuffer>> {
  checkCall(options)
  const { image, width, outputs } = options
  sizes('options.image', image)
  sizes('options.width', [width])
  const { dense: hidden = [8 * width, 8 * width] } = options
  sizes('options.dense', hidden)
  sizes('options.outputs', [outputs])
  const [channels, height, wide] = image
  if (image.length !== 3 || height < 16 || wide < 16) {
    throw badArgument('options.image', 'channels, height ≥ 16 and width ≥ 16', image)
  }
  const { builder, draw } = begin(options)
  let value = 'x'
  let from = channels
  for (const [k, factor] of [1, 2, 4, 8].entries()) {
    const to = factor * width
    value = builder.convolution(`conv${k + 1}`, value, from, to)
    value = builder.node('Relu', `conv${k + 1}`, [value])
    value = builder.node('AveragePool', `conv${k + 1}`, [value], {
      kernel_shape: { ints: [2, 2] },
      strides: { ints: [2, 2] },
    })
    from = to
  }
  value = builder.node('Flatten', 'flat', [value])
  const size = from * Math.floor(height / 16) * Math.floor(wide / 16)
  dense(builder, value, [size, ...hidden, outputs])
  return builder.build(
    { name: 'x', shape: ['N', ...image] },
    { name: 'y', shape: ['N', outputs] },
    draw,
  )
}

/**
 * Writes a model's bytes as a file, whole or not at all.
 * @throws TangentError `FAILED` when it cannot be written.
 * @example
 * ```js
 * import { buildMlp, Network, writeOnnx } from 'adaptive-tangent'
 *
 * await writeOnnx('mlp.onnx', await buildMlp({ inputs: 2, hidden: [16], outputs: 1 }))
 * const network = await Network.load('mlp.onnx')
 * console.log([...network.operators].join(' '))
 * await network.dispose()
 * // Gemm,2 Relu,1
 * ```
 * @since 0.1.0
 */
export function writeOnnx(
  path: string,
  model: Uint8Array,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  checkCall(options)
  if (!(model instanceof Uint8Array)) throw badArgument('model', 'the bytes of a model', model)
  return writeFileAtomic(path, model, options)
}

function dense(builder: ModelBuilder, x: string, widths: readonly number[]): void {
  let value = x
  const layers = widths.length - 1
  for (let k = 1; k <= layers; k += 1) {
    const layer = `dense${k}`
    value = builder.dense(layer, value, widths[k - 1] as number, widths[k] as number)
    if (k < layers) value = builder.node('Relu', layer, [value])
  }
}

function begin(options: BuildOptions) {
  const { bias = true, parameterization = 'standard' } = options
  if (typeof bias !== 'boolean') throw badArgument('options.bias', 'a boolean', bias)
  if (parameterization !== 'standard' && parameterization !== 'ntk') {
    throw badArgument('options.parameterization', 'standard or ntk', parameterization)
  }
  const ntk = parameterization === 'ntk'
  for (const name of ['weightScale', 'biasScale'] as const) {
    const value = options[name]
    if (value === undefined) continue
    if (!ntk) throw badArgument(`options.${name}`, 'no value without ntk', value)
    if (!(value > 0 && Number.isFinite(value))) {
      throw badArgument(`options.${name}`, 'a number > 0', value)
    }
  }
  const { weightScale = Math.SQRT2, biasScale = 0.1 } = options
  const scale: LayerScale = ntk
    ? { weight: weightScale, bias: biasScale, byFanIn: true }
    : { weight: 1, bias: 1, byFanIn: false }
  const draw = checkDraw(options, ntk ? 'ntk' : 'he')
  return { builder: new ModelBuilder(bias, scale), draw }
}

function sizes(name: string, values: readonly number[]): void {
  if (!Array.isArray(values)) throw badArgument(name, 'a list of sizes', values)
  for (const value of values) {
    if (!Number.isInteger(value) || value < 1) throw badArgument(name, 'whole numbers ≥ 1', value)
  }
}
