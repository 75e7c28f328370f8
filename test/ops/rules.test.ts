// Every operator's rule against onnxruntime: the table in test/cases/ops.ts.
import test from 'ava'
import { native } from '../../lib/native/index.js'
import { compositeOperators } from '../../lib/onnx/composite.js'
import { checkCase } from '../cases/check.js'
import { opCases } from '../cases/ops.js'

// Operators of which a device leaves nothing to the processor.
const covered = new Set(
  opCases
    .filter(({ op, onHost }) => onHost === undefined && native.deviceOperators.includes(op))
    .map(({ op }) => op),
)

// `OPS_SEED=7` draws other shapes and attributes.
const seed = Number(process.env.OPS_SEED ?? 1)

for (const row of opCases) {
  test.serial(`${row.op} agrees with differences of onnxruntime's forward`, async (t) => {
    t.timeout(120_000)
    const outcome = await checkCase(row, seed)
    t.true(outcome.draws >= 30)
    // A device serves what its list of operators says.
    const [type = row.op] = row.op.split('::').reverse()
    const whole = native.deviceOperators.includes(row.op) && row.onHost === undefined
    const ahead = native.deviceOperators.includes(row.op) && !row.onHostForward
    if (!compositeOperators.includes(row.op)) {
      t.is(outcome.onHost.has(type), !whole, row.op)
      t.is(outcome.onHostForward.has(type), !ahead, `${row.op} forward`)
    }
    t.deepEqual(
      [...outcome.onHost].filter((op) => op !== type && covered.has(op)),
      [],
      `others in networks of ${row.op}`,
    )
  })
}
