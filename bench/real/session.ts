// onnxruntime's own session of a network's file, with its default options.
import type { NdArray } from '../../lib/index.js'

/** Opens the file; what comes of it runs the network on x. Its package is loaded here, not before. */
export async function ownSession(
  file: string,
  x: NdArray,
  threads: number,
): Promise<() => Promise<unknown>> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node')
  const options = { intraOpNumThreads: threads, logSeverityLevel: 4 } as const
  const session = await InferenceSession.create(file, options)
  const given =
    x.data instanceof BigInt64Array
      ? new Tensor('int64', x.data, x.shape)
      : new Tensor('float32', x.data as Float32Array, x.shape)
  return () => session.run({ x: given })
}
