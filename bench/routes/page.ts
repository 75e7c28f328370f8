// docs/comparison.md: what came of the routes.
import { readFileSync } from 'node:fs'
import type { Exported } from './networks.js'
import type { Answer } from './python.js'

export interface Column {
  title: string
  versions: string
  answers: ReadonlyMap<string, Answer>
}

type Outcome = 'right' | 'other' | 'none'

export function outcome({ truth, tolerance }: Exported, answer: Answer | undefined): Outcome {
  if (answer?.squared === undefined || answer.squared === 0) return 'none'
  return Math.abs(answer.squared / truth - 1) < tolerance ? 'right' : 'other'
}

const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`

/** A reason without what is special to one network: names, numbers, addresses. */
export function general(reason: string): string {
  return reason
    .replaceAll(/0x[0-9a-f]+/g, '…')
    .replaceAll(/(?:[\w.]*[/:]+[\w./:]+)/g, '…')
    .replaceAll(/"[^"]*"|'[^']*'|\([^()]*\)|\[[^[\]]*\]/g, '…')
    .replaceAll(/\b\d+(?:\.\d+)?\b/g, 'n')
    .slice(0, 110)
    .trim()
}

function counts(nets: readonly Exported[], { answers }: Column): string {
  const found = nets.map((net) => outcome(net, answers.get(net.name)))
  const right = found.filter((each) => each === 'right').length
  const other = found.filter((each) => each === 'other').length
  return other > 0 ? `${right} (+ ${other})` : String(right)
}

function groups(nets: readonly Exported[], { title, answers }: Column): string[] {
  const reasons = new Map<string, string[]>()
  for (const net of nets) {
    const answer = answers.get(net.name)
    const what = outcome(net, answer)
    if (what === 'right') continue
    const why =
      what === 'other'
        ? 'a gradient, but not that of the network’s parameters'
        : answer?.reason
          ? `${answer.stage}: ${cell(general(answer.reason))}`
          : 'gradient: zero everywhere'
    reasons.set(why, [...(reasons.get(why) ?? []), net.name])
  }
  const sorted = [...reasons].sort(([, a], [, b]) => b.length - a.length)
  if (sorted.length === 0) return []
  const shown = ([why, names]: [string, string[]]) =>
    row([names.length, why, `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`])
  return [
    `### ${title}`,
    '',
    '| networks | stage and reason | which |',
    '| ---: | --- | --- |',
    ...sorted.map(shown),
    '',
  ]
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')

export function page(
  nets: readonly Exported[],
  columns: readonly Column[],
  missing: readonly string[],
): string {
  const { version } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  )
  const exporters = [...new Set(nets.map(({ exporter }) => exporter))]
  const lines = exporters.map((exporter) => {
    const own = nets.filter((net) => net.exporter === exporter)
    return row([exporter, own.length, ...columns.map((column) => counts(own, column))])
  })
  const date = new Date().toISOString().slice(0, 10)
  const versions = columns.map(({ versions: said }) => said || `adaptive-tangent ${version}`)
  return `${[
    '# Other routes from ONNX to a gradient',
    '',
    'An exported network can be turned back into a function that a framework differentiates: by',
    'jaxonnxruntime for JAX, by onnx2torch for PyTorch. How far that goes was tried on all exported',
    'networks of the tests: small ones written by five exporters in many ways (`test/exporters`), and the',
    'reference networks and small versions of well-known architectures (`test/fixtures`).',
    '',
    'Asked was for the gradient by all parameters of a weighted sum wᵀf of the outputs of all samples. Its',
    'squared norm is wᵀKw with the network’s tangent kernel K, which the tests hold in float64, made apart',
    'from all three; a gradient counts where it agrees within 1e-3 (3e-2 where the file stores numbers in 16',
    'bits). In brackets: a gradient came, but of other parameters or with other numbers.',
    '',
    row(['exporter', 'networks', ...columns.map(({ title }) => title)]),
    row(['---', '---:', ...columns.map(() => '---:')]),
    ...lines,
    row(['**all**', nets.length, ...columns.map((column) => `**${counts(nets, column)}**`)]),
    '',
    ...missing.flatMap((line) => [`${line}.`, '']),
    `Made on ${date} with ${versions.join('; ')};`,
    'each converter with its default settings,',
    'jaxonnxruntime a second time with `jaxort_only_allow_initializers_as_static_args` off where that',
    'failed, and onnx2torch with plain autograd where torch.func failed, by its parameters or also by the',
    'weights that it holds as buffers, whichever is right. Networks whose weights are quantised are left',
    'out: their derivative has no reference.',
    '',
    '```sh',
    'npm run bench -- routes   # makes a Python environment in out/routes the first time (2 GB)',
    '```',
    '',
    '## Why not',
    '',
    ...columns.flatMap((column) => groups(nets, column)),
  ]
    .join('\n')
    .trimEnd()}\n`
}
