// A program whose types are checked in each of TypeScript's resolutions.
import { type CallOptions, Network, TangentError } from 'adaptive-tangent'

const options: CallOptions = { threads: 1 }
const x = { shape: [1, 2], data: new Float32Array(2) }

export async function trace(path: string): Promise<number> {
  const network: Network = await Network.load(path)
  const kernel = await network.ntk(x, { kernel: 'trace', ...options })
  if (!(kernel.trace() > 0)) throw new TangentError('FAILED', 'no kernel')
  // @ts-expect-error: there is no such option.
  await network.ntk(x, { kernel: 'odd' })
  return kernel.trace()
}
