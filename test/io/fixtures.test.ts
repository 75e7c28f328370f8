import { fileURLToPath } from 'node:url'
import test from 'ava'
import { readArray } from '../../lib/io/index.js'

const fixtures = fileURLToPath(new URL('../../../test/fixtures', import.meta.url))

test('reads the reference arrays', async (t) => {
  const input = await readArray(`${fixtures}/mlp_init/input_0.pb`)
  t.true(input.data instanceof Float32Array)
  t.is(
    input.data.length,
    input.shape.reduce((a, b) => a * b, 1),
  )
  const kernel = await readArray(`${fixtures}/mlp_init/ntk.pb`)
  t.is(kernel.shape.length, 4)
  const tokens = await readArray(`${fixtures}/text/input_0.pb`)
  t.true(tokens.data instanceof BigInt64Array)
})
