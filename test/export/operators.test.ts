// Every operator of the case table: its exported tangent, run by onnxruntime, against central
// differences and `network.jvp`.
import test from 'ava'
import { exportedOperators } from '../../lib/index.js'
import { compositeOperators } from '../../lib/onnx/composite.js'
import { checkExported } from '../cases/export.js'
import { opCases } from '../cases/ops.js'

/** Their tangent is not written: they are refused by name. */
const recurrent = ['GRU', 'LSTM', 'RNN']

test('every operator with a derivative has a tangent rule or is known to have none', (t) => {
  const known = [...exportedOperators, ...compositeOperators, ...recurrent]
  t.deepEqual(
    opCases.map(({ op }) => op).filter((op) => !known.includes(op)),
    [],
  )
})

for (const row of opCases) {
  test(row.op, async (t) => {
    const { draws, refused } = await checkExported(row)
    t.log(`${draws} draws; refused: ${refused.join('; ') || 'none'}`)
    if (recurrent.includes(row.op)) {
      t.is(draws, 0)
      t.deepEqual(refused, ['its tangent has no form in standard operators here'])
    } else {
      t.true(draws > 0)
      for (const why of refused) t.regex(why, /before opset 11$/)
    }
  })
}
