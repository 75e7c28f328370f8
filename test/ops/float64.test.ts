// Every operator in float64: the table in test/cases/ops.ts.
import test from 'ava'
import { checkDouble } from '../cases/double.js'
import { opCases } from '../cases/ops.js'

/** Operators without a float64 forward pass; their nodes are refused by name. */
const refused = new Set(
  [
    'Acos Acosh Asin Asinh Atan Atanh Cosh Sinh LpNormalization LpPool GlobalLpPool',
    'RMSNormalization SimplifiedLayerNormalization LSTM GRU RNN Upsample',
    'com.microsoft::Gelu com.microsoft::QuickGelu',
  ]
    .join(' ')
    .split(' '),
)

// Its rank has to be stored: test/engine/float64.test.ts.
for (const row of opCases.filter(({ op }) => op !== 'Resize')) {
  const words = refused.has(row.op) ? 'is refused in float64 by name' : 'is right in float64'
  test.serial(`${row.op} ${words}`, async (t) => {
    t.timeout(120_000)
    const why = await checkDouble(row)
    if (refused.has(row.op)) t.regex(why ?? '', new RegExp(row.op.replace(/^.*::/, '')))
    else t.is(why, undefined)
  })
}
