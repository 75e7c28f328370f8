// Every float input of every operator that has a rule: a parameter in some case of the table, or
// listed with the reason why nothing flows through it.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { bundles } from '../cases/check.js'
import { aliases } from '../cases/cuts.js'
import type { Draw } from '../cases/draw.js'
import { withoutDerivative } from '../cases/inputs.js'
import { opCases } from '../cases/ops.js'
import { differentiated } from '../support/operators.js'

/** Inputs of ai.onnx's operators that may be float32: by place, the name. */
const inputs: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(
  readFileSync(new URL('../../../test/data/inputs.json', import.meta.url), 'utf8'),
)

/** Inputs of operators of other domains. */
const others: typeof inputs = {
  SimplifiedLayerNormalization: { 0: 'X', 1: 'scale' },
  'com.microsoft::Gelu': { 0: 'X' },
  'com.microsoft::QuickGelu': { 0: 'X' },
  'com.microsoft::DequantizeLinear': { 1: 'x_scale' },
}

/** Values of a draw that are parameters, or computed from parameters and not from samples. */
function ofParameters({ nodes, parameters, feeds }: Draw): Set<string> {
  const values = new Set(Object.keys(parameters))
  const sampled = new Set(Object.keys(feeds))
  for (const { inputs, outputs } of nodes) {
    const into = inputs.some((name) => sampled.has(name))
      ? sampled
      : inputs.some((name) => values.has(name))
        ? values
        : undefined
    for (const name of outputs) into?.add(name)
  }
  return values
}

/** Places of an operator that are a parameter in some draw. */
function coveredPlaces(op: string): Set<number> {
  const places = new Set<number>()
  const row = opCases.find((entry) => entry.op === (aliases[op] ?? op))
  if (!row) return places
  const type = row.op.split('::').at(-1)
  for (const [, draws] of bundles(row, 1)) {
    for (const draw of draws) {
      const values = ofParameters(draw)
      for (const { op: own, inputs: names } of draw.nodes) {
        if (own !== type) continue
        for (const [k, name] of names.entries()) if (values.has(name)) places.add(k)
      }
    }
  }
  return places
}

test('every float input is a parameter in some case, or is listed with a reason', (t) => {
  const wrong: string[] = []
  for (const op of differentiated) {
    const known = inputs[op] ?? others[op] ?? {}
    const covered = coveredPlaces(op)
    for (const [place, name] of Object.entries(known)) {
      const k = Number(place)
      const listed = withoutDerivative[op]?.[k] !== undefined
      if (covered.has(k) === listed) wrong.push(`${op}, input ${k} (${name})`)
    }
  }
  t.deepEqual(wrong, [])
})

test('what is listed exists', (t) => {
  for (const [op, places] of Object.entries(withoutDerivative)) {
    t.true(differentiated.includes(op), op)
    for (const place of Object.keys(places)) t.true(place in (inputs[op] ?? {}), `${op} ${place}`)
  }
})
