// Every operator's rule against onnxruntime: the table in test/cases/ops.ts.
import test from 'ava'
import { checkCase } from '../cases/check.js'
import { opCases } from '../cases/ops.js'

// `OPS_SEED=7` draws other shapes and attributes.
const seed = Number(process.env.OPS_SEED ?? 1)

for (const row of opCases) {
  test.serial(`${row.op} agrees with differences of onnxruntime's forward`, async (t) => {
    t.timeout(120_000)
    const outcome = await checkCase(row, seed)
    t.true(outcome.draws >= 30)
  })
}
