import test from 'ava'
import { fitFeatures } from '../../lib/fit/adaptive.js'
import { near } from '../support/near.js'
import { load, optionsOf, reference, settings, targets } from './synthetic.js'

const cases = (['cpu', 'emulated'] as const).flatMap((device) =>
  settings.map((name) => [name, device] as const),
)

for (const [name, device] of cases) {
  test(`${name}: the reference's optimum and predictions, ${device}`, async (t) => {
    const expected = reference(name)
    const features = await load()
    const model = await fitFeatures(features, await targets(), { ...optionsOf(expected), device })
    t.is(model.device?.name, device)
    t.is(model.status.name, 'converged')
    t.log(`${model.iterations.length} iterations, ${model.objective / expected.objective - 1}`)
    t.true(
      model.objective <= expected.objective * (1 + 1e-6),
      `${model.objective} against ${expected.objective}`,
    )
    t.true(
      model.objective >= expected.objective * (1 - 1e-6),
      `another optimum: ${model.objective} against ${expected.objective}`,
    )
    const predictions = await model.predict(await load('test_'))
    near(t, predictions, expected.predictions, { absolute: 1e-4 })
    near(t, model.fit, expected.fit, { absolute: 1e-4 })
    if (expected.structure === undefined) {
      for (const block of model.blocks) {
        if (block.singularValues.length === 0) continue
        expected.singular_values[block.name]?.forEach((value, j) => {
          near(t, value, block.singularValues[j], { absolute: 1e-3 * (1 + value) })
        })
      }
    }
    // Never up, from the fixed model on.
    let before = Number.POSITIVE_INFINITY
    for (const { objective } of model.iterations) {
      t.true(objective <= before)
      before = objective
    }
    if (expected.structure === undefined) {
      const first = model.iterations[0]?.objective as number
      t.true(first <= expected.fixed_feature_start * (1 + 1e-12))
    }
  })
}

test('at least four times fewer iterations than plain alternation on the slow settings', async (t) => {
  const features = await load()
  const r = await targets()
  for (const name of settings) {
    const options = { ...optionsOf(reference(name)), maxIterations: 5000 }
    const plain = await fitFeatures(features, r, { ...options, depth: 0 })
    const fast = await fitFeatures(features, r, options)
    t.log(`${name}: ${plain.iterations.length} to ${fast.iterations.length}`)
    t.true(fast.objective <= plain.objective * (1 + 1e-8))
    if (plain.iterations.length < 300) continue
    t.true(plain.iterations.length >= 4 * fast.iterations.length)
  }
})
