// The table of operators in docs/operators.md, from what is registered and what is tested.
import { readFileSync } from 'node:fs'
import { native } from '../../lib/native/index.js'
import { compositeOperators } from '../../lib/onnx/composite.js'
import type { OpCase } from '../cases/check.js'
import { aliases, cutCases, refusedCases } from '../cases/cuts.js'
import { opCases } from '../cases/ops.js'

/** Every operator of ai.onnx: the opset that brought it, and the one that withdrew it. */
export const standard: Readonly<Record<string, readonly number[]>> = JSON.parse(
  readFileSync(new URL('../../../test/data/operators.json', import.meta.url), 'utf8'),
)

const intro = `# Operators

Every operator of ai.onnx, and those of other domains that are known. Made by
\`node scripts/operators.mjs\`; a test holds it to the code.

- **yes**: has a reverse and a forward rule, or is written out as operators that have. Tested by random draws of shapes, broadcasting and
  attributes in the opsets named: its Jacobian, its forward derivative, the adjoint identity and the
  kernel by three methods against central differences of onnxruntime's own forward (in float64 where
  onnxruntime has the kernel), with the batch at any axis and with parameters as operands.
- **constant**: what it makes carries no derivative (shapes, indices, comparisons, steps).
  Tested: what lies behind it only is no parameter.
- **refused**: named when the network is opened, with what to do about it. Tested by that.
- **written out**: a branch that is taken, or a body once for every iteration, stands in the node's place
  where that can be decided ([branches and loops](control-flow.md)); else it is refused by name.
- **device**: whether passes back and forward are served by a [device](gpu.md) as well, and which nodes are left to
  the processor. Tested by the same draws on the emulated device.
- **no**: no rule; a network that needs its derivative is refused by name. Off the path from the
  parameters to the output onnxruntime runs it as it is.

Where a function has no derivative the convention is PyTorch's: \`test/ops/kinks.test.ts\`.
Every float input that has a derivative is differentiated: exponents, clip bounds, running
statistics, pad values, starts and steps of ranges, scales of quantised weights are, where a parameter
stands there. Weights that have such a role in all their uses are constants by default
([parameters.md](parameters.md)); what a parameter reaches and has no derivative here (scales of a
resize, quantised numbers) is refused by name. A test goes over every float input of every operator.
`

/** Operators that have a rule, or are written out as others that have. */
export const differentiated: readonly string[] = [...native.operators, ...compositeOperators]

/** What a device serves of an operator; of those that are written out, of what they become. */
function onDevice(op: string, { onHost, onHostForward }: OpCase): string {
  if (compositeOperators.includes(op)) return 'as written out'
  if (!native.deviceOperators.includes(op)) return 'no'
  const but = onHost === undefined ? '' : ` but for ${onHost}`
  if (onHost === undefined) return 'yes'
  return onHostForward ? `yes${but}` : `yes; in passes back${but}`
}

function row(op: string): string {
  const [since = 1, until] = standard[op] ?? []
  const entry = opCases.find((candidate) => candidate.op === (aliases[op] ?? op))
  const name = `| \`${op}\` | ${op in standard ? since : ''}${until ? `, withdrawn in ${until}` : ''} `
  if (differentiated.includes(op) && entry) {
    const draws = (entry.draws ?? 30) + (entry.edges?.length ?? 0)
    const opsets = (entry.opsets ?? [17]).join(', ')
    const tested = aliases[op] ? `as \`${aliases[op]}\`` : `${draws} draws, opset ${opsets}`
    return `${name}| yes | ${tested} | ${onDevice(op, entry)} |`
  }
  if (cutCases.some((cut) => cut.op === op)) return `${name}| constant | nothing flows back | |`
  const refused = refusedCases.find((candidate) => candidate.op === op)
  if (/^(If|Loop|Scan)$/.test(op))
    return `${name}| written out | [branches and loops](control-flow.md) | |`
  if (refused) return `${name}| refused | ${refused.why} | |`
  return `${name}| no | | |`
}

export function operatorsPage(): string {
  const others = native.operators.filter((op) => !(op in standard))
  const table = (ops: readonly string[]) =>
    [
      '| operator | since | derivative | tested | device |',
      '| --- | --- | --- | --- | --- |',
      ...ops.map(row),
    ].join('\n')
  const yes = differentiated.filter((op) => opCases.some((entry) => entry.op === op)).length
  const count = `${yes} operators are differentiated.`
  return `${intro}\n${count}\n\n## ai.onnx\n\n${table(Object.keys(standard))}\n\n## Other domains\n\n${table(others)}\n`
}
