// Holds the lists of operators to each other: registered, tested, documented.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { Network } from '../../lib/index.js'
import { aliases, cutCases, refusedCases, refusedForms } from '../cases/cuts.js'
import { Draw, joined } from '../cases/draw.js'
import { opCases } from '../cases/ops.js'
import { floats, model } from '../support/onnx.js'
import { differentiated, operatorsPage } from '../support/operators.js'
import { Random } from '../support/random.js'

test('every registered operator is tested in exactly one way, and nothing else is', (t) => {
  const tested = [
    ...opCases.map(({ op }) => op),
    ...cutCases.map(({ op }) => op),
    ...refusedCases.map(({ op }) => op),
    ...Object.keys(aliases),
  ]
  t.deepEqual([...tested].sort(), [...differentiated].sort())
})

test('docs/operators.md is what the code says', (t) => {
  const page = readFileSync(new URL('../../../docs/operators.md', import.meta.url), 'utf8')
  t.is(page, operatorsPage(), 'run `node scripts/operators.mjs`')
})

test('nothing flows through operators that are constant', async (t) => {
  const draws = cutCases.map(({ use }, index) => {
    const d = new Draw(new Random(index + 1), `d${index}`, 18, 2, 'batched')
    const a = d.activation([3])
    // The operator's result times a parameter of its own, which is one.
    const y = d.node('Mul', [use(d, a), d.parameter([1])])
    d.finish(y)
    return d
  })
  const network = await Network.load(model(joined(draws, 18)))
  try {
    t.deepEqual(
      network.parameters.map(({ name }) => name).sort(),
      draws.map((d) => Object.keys(d.parameters).at(-1) ?? '').sort(),
    )
    const feeds = Object.fromEntries(
      draws.flatMap((d) =>
        Object.entries(d.feeds).map(([name, { shape, data }]) => [
          name,
          { shape: [...shape], data: Float32Array.from(data) },
        ]),
      ),
    )
    t.true((await network.jacobian(feeds)).size === draws.length)
  } finally {
    await network.dispose()
  }
})

for (const { op, why, attributes = {}, inputs, outputs, opset } of [
  ...refusedCases,
  ...refusedForms,
]) {
  test(`${op} is refused with a sentence: ${why}${opset ? ` in opset ${opset}` : ''}`, async (t) => {
    const [domain = '', type = op] = op.includes('::') ? op.split('::') : ['', op]
    const bytes = model({
      opset: opset ?? 18,
      domains: domain ? { [domain]: 1 } : {},
      inputs: [{ name: 'x', shape: ['N', 3] }],
      outputs: [{ name: 'y', shape: ['N', 3] }],
      initializers: { p: floats([3], [1, 2, 3]) },
      nodes: [
        { op: 'Add', inputs: ['x', 'p'], outputs: ['a'] },
        {
          op: type,
          domain,
          name: 'culprit',
          inputs: inputs ?? ['a', 'a', 'a'],
          outputs: outputs ?? ['y'],
          attributes,
        },
      ],
    })
    const error = await t.throwsAsync(Network.load(bytes), { code: 'UNSUPPORTED' })
    t.regex(error?.message ?? '', /culprit/)
    t.true(error?.message.includes(why), error?.message)
  })
}
