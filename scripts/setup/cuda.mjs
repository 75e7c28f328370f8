// The addon and the unit tests with code for cards: build-cuda.
import { buildNative } from './native.mjs'
import { output, SetupError } from './run.mjs'

export const CUDA_BUILD = 'build-cuda'

/** @throws SetupError where NVIDIA's toolkit is missing. */
export async function buildForCards() {
  if (output('nvcc', ['--version']) === undefined)
    throw new SetupError('nvcc was not found: NVIDIA’s CUDA toolkit 13 is needed, a card is not')
  const defines = ['AT_CUDA=ON', 'AT_TESTS=ON']
  for (const target of [undefined, 'native_tests']) {
    const what = { folder: CUDA_BUILD, defines, ...(target ? { target } : {}) }
    await buildNative({ mayInstall: true }, what)
  }
}
