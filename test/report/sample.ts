import { classLimit } from '../../lib/probe/classes.js'
import type { ProbeGraph } from '../../lib/probe/graph.js'
import type { ProbeEstimate } from '../../lib/probe/left-out.js'
import { rasterise } from '../../lib/probe/raster.js'
import type { ProbeAlignment, ProbeNetwork, ProbeReport } from '../../lib/probe/types.js'

export interface SampleOptions {
  samples?: number
  classes?: number
  networks?: string[]
  layers?: string[]
  className?: (at: number) => string
  /** false: no target at all. */
  labels?: boolean
  /** Make the kernels' entries negative off the diagonal too. */
  signed?: boolean
  outputs?: number
  /** Are the samples pictures (default), or numbers? */
  pictures?: boolean
}

/** Layers one after another, each third with a way around it. */
function graphOf(layers: readonly string[]): ProbeGraph {
  const nodes: ProbeGraph['nodes'] = [{ kind: 'input', name: 'input' }]
  const edges: ProbeGraph['edges'] = []
  layers.forEach((name, at) => {
    const from = nodes.length - 1
    edges.push([from, nodes.push({ kind: 'layer', name }) - 1])
    if (at % 3 < 2) return
    const join = nodes.push({ kind: 'join', name: 'Add' }) - 1
    edges.push([join - 1, join], [from, join])
  })
  edges.push([nodes.length - 1, nodes.push({ kind: 'output', name: 'output' }) - 1])
  return { nodes, edges }
}

/** A report of invented numbers that obey what `probe` guarantees. */
export function sampleReport({
  samples = 24,
  classes = 3,
  networks = ['first', 'last'],
  layers = ['net.1', 'net.3'],
  className = (at) => `class ${at}`,
  labels = true,
  signed = false,
  outputs = classes,
  pictures = true,
}: SampleOptions = {}): ProbeReport {
  const label = Array.from({ length: samples }, (_, i) => i % classes)
  const order = label
    .map((_, i) => i)
    .sort((a, b) => (label[a] as number) - (label[b] as number) || a - b)
  const count = (at: number) => label.filter((one) => one === at).length
  const names = Array.from({ length: classes }, (_, at) => className(at))
  let start = 0
  const groups = names.map((name, at) => {
    start += count(at)
    return { name, start: start - count(at), count: count(at) }
  })
  const picture = (value: (i: number, j: number) => number) =>
    rasterise(
      Float64Array.from({ length: samples * samples }, (_, k) =>
        value(Math.floor(k / samples), k % samples),
      ),
      order,
      256,
    )
  const alike = (i: number, j: number) => (label[i] === label[j] ? 1 : signed ? -0.4 : 0.2)
  const alignment = (at: number): ProbeAlignment | null =>
    labels ? { cosine: 0.1 + 0.3 * at, centred: 0.2 + 0.5 * at } : null

  const estimate = (standardError: number, at: number): ProbeEstimate => ({
    standardError,
    change: at === 0 ? null : { value: 0.5 * at, standardError },
  })
  const byClass = labels && classes > 1 && classes <= classLimit
  const vector = (k: number) => {
    const value = (sample: number) => Number(Math.sin(sample + k).toPrecision(4))
    const ends = order.slice(0, 4).map((sample) => ({ sample, value: value(sample) }))
    const classMeans = labels ? groups.map((_, c) => value(c)) : []
    return { eigenvalue: 10 / (k + 1), share: 0.5 / (k + 1), high: ends, low: ends, classMeans }
  }

  const network = (name: string, at: number): ProbeNetwork => {
    const size = samples * outputs
    const eigenvalues = Array.from({ length: size }, (_, k) => (10 + 90 * at) / (k + 1) ** 1.5)
    const trace = samples * 1.5 * layers.length
    return {
      name,
      file: `${name}.onnx`,
      inputs: [{ name: 'input', type: 'float32', shape: ['N', 4] }],
      output: { name: 'output', type: 'float32', shape: ['N', outputs] },
      outputs,
      parameterCount: 20 * layers.length,
      frozenCount: 0,
      operators: [{ name: 'Gemm', count: layers.length }],
      accuracy: labels ? 0.3 + 0.6 * at : null,
      layers: layers.map((layer) => ({
        name: layer,
        parameters: [`${layer}.weight`, `${layer}.bias`],
        count: 20,
        trace: trace / layers.length,
        share: 1 / layers.length,
        alignment: alignment(at),
        estimates: {
          share: estimate(0.01, at),
          ...(labels ? { centred: estimate(0.02, at) } : {}),
        },
        raster: picture((i, j) => alike(i, j) + (i === j ? 0.5 : 0)),
      })),
      trace,
      alignment: alignment(at),
      raster: picture((i, j) => layers.length * (alike(i, j) + (i === j ? 0.5 : 0))),
      spectrum: {
        of: 'gram',
        size,
        eigenvalues,
        effectiveRank: 5 + at,
        participationRatio: 3 + at,
      },
      estimates: {
        trace: estimate(4, at),
        effectiveRank: estimate(0.1, at),
        ...(labels
          ? { centred: estimate(0.02, at), cosine: estimate(0.6, at), accuracy: estimate(0.05, at) }
          : {}),
      },
      classes: byClass
        ? {
            raster: rasterise(
              Float64Array.from({ length: classes ** 2 }, (_, e) =>
                e % (classes + 1) === 0 ? 0.9 : 0.1,
              ),
              groups.map((_, c) => c),
              128,
            ),
            alike: [{ classes: [0, 1], value: 0.1 }],
            loose: [{ classes: [1, 1], value: 0.9 }],
          }
        : null,
      pairs: byClass ? { within: 0.9, between: 0.1 } : null,
      graph: graphOf(layers),
      eigenvectors: [0, 1].map(vector),
      adaptiveMissing: null,
      adaptive: labels
        ? {
            samples,
            folds: 3,
            fixed: { ridge: 0.01, error: 0.09, standardError: 0.01, misclassified: 0.2 },
            adaptive: {
              ridge: 0.1,
              error: 0.06 - 0.01 * at,
              standardError: 0.01,
              misclassified: 0.1,
            },
            gain: { mean: 0.03 + 0.01 * at, standardError: 0.005 },
            iterations: 21,
            price: 0.31,
            largestStretch: 1.52,
            status: 'converged',
            alignment: { before: 0.1 + 0.1 * at, after: 0.6 },
            blocks: layers.map((layer) => ({
              name: layer,
              shape: [4, 5],
              singularValues: [2, 0.5, 0.01],
              effectiveRank: 1.3,
            })),
          }
        : null,
      method: 'auto',
      seconds: 0.25,
    }
  }

  return {
    kind: 'adaptive-tangent/probe',
    version: 1,
    created: '2026-01-02T03:04:05.000Z',
    software: 'adaptive-tangent 0.0.0',
    samples,
    input: [{ name: 'input', file: 'x.npy', shape: [4] }],
    target: labels
      ? {
          kind: 'classes',
          file: 'y.npy',
          classes: names.map((name, at) => ({ name, count: count(at) })),
        }
      : null,
    order,
    groups: labels ? groups : [],
    thumbnails: {
      samples: order.slice(0, 256).toSorted((a, b) => a - b),
      picture: pictures
        ? {
            ...{ width: 6, height: 5, channels: 1 },
            data: Buffer.alloc(30 * Math.min(samples, 256), 120).toString('base64'),
          }
        : null,
      texts: pictures ? null : order.slice(0, 256).map((_, i) => `0.${i}, 1 …`),
    },
    targetRaster: labels ? picture((i, j) => (label[i] === label[j] ? 1 : 0) - 1 / classes) : null,
    networks: networks.map((name, i) => network(name, i / Math.max(1, networks.length - 1))),
  }
}
