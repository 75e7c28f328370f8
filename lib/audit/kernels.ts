// Where an audit's kernels come from: a network's own tangent features, or those that a model adapted.
import { badArgument } from '../core/errors.js'
import type { TangentFeatures } from '../fit/features.js'
import { NetworkModel } from '../fit/network.js'
import type { Floats, NdArray } from '../io/index.js'
import { type CallOptions, type Core, cores, type DerivativeOptions } from '../model/core.js'
import { type Inputs, samplesOf } from '../model/inputs.js'
import type { Network } from '../network/network.js'
import { selfKernel } from './self.js'

/** The kernels that an audit asks for. */
export interface KernelSource {
  /** K(X, X), (N, O, N, O). */
  own(): Promise<NdArray<Floats>>
  /** K(x*, X), (N2, O, N, O). */
  cross(query: Inputs): Promise<NdArray<Floats>>
  /** k(x*, x*)_oo of every row, (N2·O). */
  self(query: Inputs): Promise<Floats>
}

/** Kernels of the tangent features as they are. `onProgress` tells of the first. */
export function fixedKernels(
  network: Network,
  x: Inputs,
  { onProgress, ...options }: DerivativeOptions,
): KernelSource {
  return {
    own: () => network.ntk(x, { ...options, onProgress }),
    cross: (query) => network.ntk(query, x, options),
    self: async (query) => (await selfKernel(network, query, options)).data,
  }
}

/** @throws TangentError BAD_ARGUMENT for what is no fitted model. */
export function checkModel(model: unknown): void {
  if (model === undefined || model instanceof NetworkModel) return
  throw badArgument('options.model', 'a NetworkModel', model)
}

/** Samples whose features are held together for their kernels with themselves. */
const together = 16

/** Kernels K_M of a fitted model. */
export function adaptedKernels(
  network: Network,
  fitted: NetworkModel,
  x: Inputs,
  options: DerivativeOptions,
): KernelSource {
  const { model } = fitted
  const featuresOf = (samples: Inputs) => fitted.features(network, samples, options)
  let held: Promise<TangentFeatures> | undefined
  const ownFeatures = () => {
    held ??= featuresOf(x)
    return held
  }
  const kernel = async (a: TangentFeatures, b: TangentFeatures): Promise<NdArray<Floats>> => ({
    data: await a.adaptedKernel(b, model.transforms(), options),
    shape: [a.samples, a.outputs, b.samples, b.outputs],
  })
  return {
    own: async () => kernel(await ownFeatures(), await ownFeatures()),
    cross: async (query) => kernel(await featuresOf(query), await ownFeatures()),
    self: async (query) => {
      const pick = await picker(network, query, 'query', options)
      const parts: Float64Array[] = []
      for (let first = 0; first < pick.samples; first += together) {
        const features = await featuresOf(await pick.take(first, together))
        const { data } = await kernel(features, features)
        const { rows } = features
        parts.push(Float64Array.from({ length: rows }, (_, r) => data[r * rows + r] as number))
      }
      const all = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.length
      }
      return all
    },
  }
}

/** Samples that can be read again, some at a time. */
export interface Picker {
  samples: number
  /** All of them. */
  all: Inputs
  take(first: number, count: number): Promise<Inputs>
}

/** @param argument what the caller calls them */
export async function picker(
  network: Network,
  inputs: Inputs,
  argument: string,
  options: CallOptions,
): Promise<Picker> {
  const core = cores.get(network) as Core | undefined
  if (!core) throw badArgument('network', 'a Network', network)
  const { rows, ...declared } = await core.reading(inputs, argument, options)
  const { samples } = await core.feed(rows, argument, options)
  return {
    samples,
    all: rows,
    take: async (first, count) => {
      if (first === 0 && count >= samples) return rows
      const length = Math.min(count, samples - first)
      return samplesOf(
        rows,
        declared,
        Array.from({ length }, (_, k) => first + k),
      )
    },
  }
}
