// Holds an operator's exported tangent to differences of onnxruntime's forward and to `jvp`.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { exportJvp } from '../../lib/export/jvp.js'
import type { NdArray, TangentError } from '../../lib/index.js'
import { mustBeNear } from '../support/near.js'
import { model } from '../support/onnx.js'
import { Random } from '../support/random.js'
import { arrayOf, bundles, loaded, type OpCase, samples } from './check.js'
import type { Draw } from './draw.js'
import { joined } from './draw.js'
import { compare } from './forward.js'
import { differences } from './reference.js'

export interface Exported {
  draws: number
  /** Why draws were refused, each reason once. */
  refused: string[]
}

export async function checkExported(row: OpCase, seed = 1): Promise<Exported> {
  const outcome: Exported = { draws: 0, refused: [] }
  const refused = new Set<string>()
  // The oldest opset and the newest: forms differ between them.
  const opsets = [...new Set([row.opsets?.[0] ?? 17, row.opsets?.at(-1) ?? 17])]
  for (const [opset, draws] of bundles({ ...row, opsets, draws: 6, together: 8 }, seed)) {
    try {
      await checkBundle(row, opset, draws)
      outcome.draws += draws.length
    } catch (error) {
      // One by one those that have no tangent in standard operators are told from those that have.
      if ((error as TangentError).code !== 'UNSUPPORTED') throw error
      for (const draw of draws) {
        try {
          await checkBundle(row, opset, [draw])
          outcome.draws += 1
        } catch (single) {
          if ((single as TangentError).code !== 'UNSUPPORTED') throw single
          refused.add((single as Error).message.replace(/^.*?\): |;.*$/g, ''))
        }
      }
    }
  }
  return { ...outcome, refused: [...refused] }
}

async function checkBundle(row: OpCase, opset: number, draws: Draw[]): Promise<void> {
  const spec = joined(draws, opset)
  const where = `${row.op} (opset ${opset})`
  const truth = await differences(spec, draws, row.only32 ?? false)
  const network = await loaded(model(spec), draws)
  const random = new Random(815)
  try {
    const feeds: Record<string, NdArray> = {}
    const tensors: Record<string, Tensor> = {}
    for (const draw of draws)
      for (const [name, { type, shape, data }] of Object.entries(draw.feeds)) {
        const own = arrayOf(type, data)
        feeds[name] = {
          shape: [...shape],
          data: own,
          ...(type === 'bool' ? { boolean: true } : {}),
        }
        tensors[name] = new Tensor(type as 'float32', own as Float32Array, shape)
      }
    for (const everything of [true, false]) {
      // All parameters at once, then about half of them: the others have no tangent at all.
      const direction = new Map<string, NdArray<Float32Array>>()
      for (const { name, shape, count } of network.parameters.filter(({ frozen }) => !frozen)) {
        if (!truth.jacobian.has(name) || (!everything && random.chance())) continue
        direction.set(name, { data: random.normals(count), shape: [...shape] })
      }
      const bytes = await exportJvp(network, direction)
      const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
      const { tangent, value } = await session.run(tensors)
      await session.release()
      const found = tangent?.data as Float32Array
      if (tangent?.dims.join() !== `${samples},${truth.width}`) {
        throw new Error(`${where}: the tangent has the shape ${tangent?.dims}`)
      }
      compare(found, direction, truth, where, row.tolerance ?? 1e-4)
      const own = await network.jvp(feeds, direction)
      const f = await network.run(feeds)
      const rounding = { share: 2e-5, floor: 1e-3 }
      mustBeNear(found, own.data, rounding, `${where}: the tangent`)
      mustBeNear(value?.data as Float32Array, f.data, rounding, `${where}: the value`)
    }
  } finally {
    await network.dispose()
  }
}
