// A fitted model, f(x; θ0) + ⟨X_x, B⟩, as one ONNX model.

import { checkCall } from '../core/options.js'
import type { ParameterChange } from '../export/change.js'
import { type ExportOptions, exportedCore, exportedOutputs } from '../export/jvp.js'
import { exportModel } from '../export/model.js'
import { byElimination, fromSingular, type ThinFactors } from '../export/thin.js'
import type { Network } from '../network/network.js'
import type { BlockLayout } from './blocks.js'
import type { AdaptiveModel, BlockSolution } from './model.js'

/** What of a fitted network goes into the file. */
export interface Fitted {
  model: AdaptiveModel
  layout: readonly BlockLayout[]
  outputs: readonly number[] | undefined
  classes: readonly number[] | undefined
}

/**
 * f(x; θ0) + ⟨X_x, B⟩ as an ONNX model in standard operators: its inputs are the network's, its
 * output `prediction` (N, O) is what `NetworkModel.predict` computes. B stays in two thin
 * factors where it is of low rank.
 * @throws TangentError `UNSUPPORTED` with every node whose tangent has no form in standard operators.
 */
export async function exportFitted(
  fitted: Fitted,
  network: Network,
  options: ExportOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkCall(options)
  const core = await exportedCore(network, options)
  const known = new Set(core.architecture.active.map(({ parameter }) => parameter.name))
  const changes = await changesOf(fitted)
  // Of branches that are not taken nothing depends.
  for (const name of changes.keys()) if (!known.has(name)) changes.delete(name)
  const { classes } = fitted
  return exportModel(core, {
    changes,
    outputs: exportedOutputs(fitted.outputs),
    form: 'sum',
    note: {
      docString:
        'A fitted tangent-feature model: f(x; θ0) + ⟨X, B⟩, the value of a network and its tangent along B.',
      metadata: {
        'adaptive_tangent.form': 'linear',
        'adaptive_tangent.computes': 'f(x; theta0) + <X, B>',
        ...(classes ? { 'adaptive_tangent.classes': JSON.stringify(classes) } : {}),
      },
    },
  })
}

/** B by parameter, in thin factors where it is of low rank. */
async function changesOf({ layout, model }: Fitted): Promise<Map<string, ParameterChange>> {
  const changes = new Map<string, ParameterChange>()
  for (const [index, block] of layout.entries()) {
    const solution = model.blocks[index] as BlockSolution
    const { m, k, weight, transposed, shape, bias } = block
    const width = bias === undefined ? k : k - 1
    const own = columns(solution.b, m, k, 0, width)
    if (own.some((value) => value !== 0)) {
      const thin = await thinOf(block, solution, own, width)
      changes.set(weight, thin ?? { data: stored(own, m, width, transposed), shape: [...shape] })
    }
    if (!bias) continue
    const column = columns(solution.b, m, k, width, k)
    if (column.some((value) => value !== 0)) {
      changes.set(bias.name, { data: Float32Array.from(column), shape: [...bias.shape] })
    }
  }
  return changes
}

async function thinOf(
  { m, k, transposed, shape }: BlockLayout,
  solution: BlockSolution,
  own: Float64Array,
  width: number,
): Promise<ThinFactors | undefined> {
  // Kernels are stored with the channels that they make first.
  const fits = shape.length === 2 || (!transposed && shape.length > 2 && shape[0] === m)
  if (!fits || solution.structure === 'diagonal') return undefined
  const known = solution.structure === 'matrix' ? fromSingular(solution, m, k) : undefined
  const found = known ? cut(known, width) : await byElimination(own, m, width)
  return found && transposed ? turned(found) : found
}

/** Without the bias's column. */
function cut({ left, right }: ThinFactors, width: number): ThinFactors {
  const [rank = 0, k = 0] = right.shape
  const data = columns(right.data, rank, k, 0, width)
  return { left, right: { data: Float32Array.from(data), shape: [rank, width] } }
}

function turned({ left, right }: ThinFactors): ThinFactors {
  const back = ({ data, shape: [rows = 0, width = 0] }: ThinFactors['left']) => ({
    data: stored(data, rows, width, true),
    shape: [width, rows],
  })
  return { left: back(right), right: back(left) }
}

/** Columns [first, last) of a matrix (rows, width). */
function columns(
  data: Float64Array | Float32Array,
  rows: number,
  width: number,
  first: number,
  last: number,
): Float64Array {
  const out = new Float64Array(rows * (last - first))
  for (let i = 0; i < rows; i += 1) {
    out.set(data.subarray(i * width + first, i * width + last), i * (last - first))
  }
  return out
}

/** A matrix (rows, width) in float32, transposed where it is stored so. */
function stored(
  data: Float64Array | Float32Array,
  rows: number,
  width: number,
  transposed: boolean,
): Float32Array {
  if (!transposed) return Float32Array.from(data)
  const out = new Float32Array(rows * width)
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < width; j += 1) out[j * rows + i] = data[i * width + j] as number
  }
  return out
}
