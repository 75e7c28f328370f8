// Linearised Laplace posteriors against laplace-torch's numbers in float64 (make_laplace.py).
import { readFileSync } from 'node:fs'
import test from 'ava'
import { LaplacePosterior, lastLayer, type NdArray, Network } from '../../lib/index.js'
import { near } from '../support/near.js'

type Stored = { data: number[]; shape: number[] }
interface Reference {
  mean: Stored
  covariance: Stored
  evidence: number
  log_likelihood: number
  log_det_ratio: number
  scatter: number
  probit?: Stored
}
interface Case extends Record<string, unknown> {
  likelihood: string
  x: Stored
  query: Stored
  y: Stored
}

const folder = 'test/audit/laplace'
const { prior, noise, networks } = JSON.parse(
  readFileSync(`${folder}/references.json`, 'utf8'),
) as { prior: number; noise: number; networks: Record<string, Case> }

const single = ({ data, shape }: Stored): NdArray => ({ data: Float32Array.from(data), shape })
const target = ({ likelihood, y }: Case): NdArray =>
  likelihood === 'classification'
    ? { data: Int32Array.from(y.data), shape: y.shape }
    : { data: Float64Array.from(y.data), shape: y.shape }

for (const [name, given] of Object.entries(networks)) {
  const settings = {
    priorPrecision: prior,
    ...(given.likelihood === 'regression' ? { noise } : {}),
  }
  for (const layers of ['all', 'last_layer']) {
    for (const structure of ['full', 'kron', 'diag'] as const) {
      test(`${name}, ${layers}, ${structure}: laplace-torch’s numbers`, async (t) => {
        const truth = given[`${layers} ${structure}`] as Reference
        const file = `${folder}/${name}.onnx`
        const whole = await Network.load(file)
        const parameters = layers === 'all' ? undefined : lastLayer(whole)
        const network = parameters ? await Network.load(file, { parameters }) : whole
        const posterior = await LaplacePosterior.of(network, single(given.x), target(given), {
          structure: structure === 'diag' ? 'diagonal' : structure,
        })
        const found = await posterior.predict(single(given.query), settings)
        near(t, found.mean, truth.mean, 1e-5, 'mean')
        near(t, found.covariance, truth.covariance, 1e-4, 'covariance')
        const evidence = await posterior.evidence(settings)
        near(t, evidence.logLikelihood, truth.log_likelihood, 1e-4, 'log-likelihood')
        near(t, evidence.logDetRatio, truth.log_det_ratio, 1e-4, 'log det')
        near(t, evidence.scatter, truth.scatter, 1e-4, 'scatter')
        near(t, evidence.log, truth.evidence, 1e-4, 'evidence')
        if (truth.probit) near(t, found.probabilities, truth.probit, 1e-4, 'probabilities')
        const variances = await posterior.predict(single(given.query), {
          ...{ ...settings, covariance: 'diagonal' },
        })
        const [n = 0, o = 0] = found.mean.shape
        const diagonal = Array.from({ length: n * o }, (_, r) =>
          Number(found.covariance.data[r * o + (r % o)]),
        )
        near(t, variances.covariance, { data: diagonal, shape: [n, o] }, 1e-6, 'variances')
        await network.dispose()
        if (network !== whole) await whole.dispose()
      })
    }
  }
}

test('the chosen prior and noise have no better ones near them', async (t) => {
  for (const [name, given] of Object.entries(networks)) {
    const network = await Network.load(`${folder}/${name}.onnx`)
    const posterior = await LaplacePosterior.of(network, single(given.x), target(given), {
      structure: 'kron',
    })
    const { log, ...best } = await posterior.choose()
    const numbers = given.likelihood === 'regression'
    const at = async (priorPrecision: number, own: number) => {
      const { log: value } = await posterior.evidence({
        ...{ priorPrecision, ...(numbers ? { noise: own } : {}) },
      })
      return value
    }
    near(t, await at(best.priorPrecision, best.noise), log, 1e-12)
    for (const factor of [0.9, 1.1]) {
      t.true((await at(best.priorPrecision * factor, best.noise)) < log, name)
      if (numbers) t.true((await at(best.priorPrecision, best.noise * factor)) < log, name)
    }
    await network.dispose()
  }
})

test('mistakes are named', async (t) => {
  const given = networks.classes as Case
  const network = await Network.load(`${folder}/classes.onnx`)
  const [x, y] = [single(given.x), target(given)]
  const posterior = await LaplacePosterior.of(network, x, y, { structure: 'diagonal' })
  const wrong = { data: Int32Array.from([...y.data].map(() => 9)), shape: y.shape }
  const cases: [() => Promise<unknown>, RegExp][] = [
    [() => LaplacePosterior.of(network, x, wrong), /classes from 0 to 2/],
    [() => LaplacePosterior.of(network, x, { ...y, shape: [4, 2] }), /y/],
    [() => LaplacePosterior.of(network, x, y, { structure: 'half' as never }), /structure/],
    [() => posterior.predict(x, { noise: 2 }), /noise/],
    [() => posterior.evidence({ priorPrecision: 0 }), /priorPrecision/],
  ]
  for (const [call, message] of cases) {
    await t.throwsAsync(call, { code: 'BAD_ARGUMENT', message })
  }
  await t.throwsAsync(LaplacePosterior.of(network, x, y, { memory: 2000 }), {
    code: 'MEMORY_BUDGET',
  })
  await network.dispose()
})
