// Every operator of the case table: its exported tangent, run by onnxruntime, against central
// differences and `network.jvp`.
import test from 'ava'
import { exportedOperators } from '../../lib/index.js'
import { compositeOperators } from '../../lib/onnx/composite.js'
import { checkExported } from '../cases/export.js'
import { opCases } from '../cases/ops.js'

test('every operator with a derivative has a tangent rule', (t) => {
  const known = [...exportedOperators, ...compositeOperators]
  t.deepEqual(
    opCases.map(({ op }) => op).filter((op) => !known.includes(op)),
    [],
  )
})

for (const row of opCases) {
  test(row.op, async (t) => {
    const { draws, refused } = await checkExported(row)
    t.log(`${draws} draws; refused: ${refused.join('; ') || 'none'}`)
    t.true(draws > 0)
    for (const why of refused) t.regex(why, /before opset 11$/)
  })
}
