// Measures as plain numbers, for JSON and CSV.
import type { CheckpointUnit } from './checkpoint-files.js'
import type { CheckpointAlignment, KernelMeasures } from './types.js'

/** {@link KernelMeasures} without the eigenvalues: JSON as it is. */
export type PlainMeasures = Omit<KernelMeasures, 'eigenvalues'>

/** One checkpoint as JSON. */
export interface PlainCheckpoint {
  index: number
  name: string
  step: number | null
  unit: CheckpointUnit
  total: PlainMeasures
  parts: Record<string, PlainMeasures>
}

export function plainCheckpoint({
  index,
  name,
  step,
  unit,
  total,
  parts,
}: CheckpointAlignment): PlainCheckpoint {
  const plain: [string, PlainMeasures][] = [...parts].map(([part, one]) => [part, measures(one)])
  return { index, name, step, unit, total: measures(total), parts: Object.fromEntries(plain) }
}

function measures({ eigenvalues: _, ...rest }: KernelMeasures): PlainMeasures {
  return rest
}

type Column = [name: string, value: (one: PlainMeasures) => number | null | undefined]

function columns(top: readonly number[]): Column[] {
  const target = (of: 'learned' | 'labels'): Column[] => [
    [`${of}_alignment`, (one) => one[of]?.alignment],
    [`${of}_centred`, (one) => one[of]?.centred],
    ...top.map((k, at): Column => [`${of}_energy_${k}`, (one) => one[of]?.energy[at]]),
  ]
  const change = (of: 'initial' | 'previous'): Column[] =>
    (['alignment', 'centred', 'distance', 'rotation', 'angle'] as const).map((what) => [
      `${of}_${what}`,
      (one) => one[of]?.[what],
    ])
  return [
    ['trace', (one) => one.trace],
    ['norm', (one) => one.norm],
    ['participation_ratio', (one) => one.participationRatio],
    ['effective_rank', (one) => one.effectiveRank],
    ...target('learned'),
    ...target('labels'),
    ...change('initial'),
    ...change('previous'),
    ['weight_initial', (one) => one.split?.initial],
    ['weight_learned', (one) => one.split?.target],
    ['rest', (one) => one.split?.rest],
    ['diagonal_near', (one) => one.margin?.near],
    ['diagonal_peak', (one) => one.margin?.peak],
    ['diagonal_margin_correlation', (one) => one.margin?.correlation],
  ]
}

/** A row for each checkpoint and part, `total` first; what is not defined is an empty field. */
export function csvTable(checkpoints: readonly PlainCheckpoint[], top: readonly number[]): string {
  const wanted = columns(top)
  const lines = [['index', 'name', 'step', 'part', ...wanted.map(([name]) => name)]]
  for (const { index, name, step, total, parts } of checkpoints) {
    for (const [part, one] of [['total', total] as const, ...Object.entries(parts)]) {
      const values = wanted.map(([, value]) => String(value(one) ?? ''))
      lines.push([String(index), name, String(step ?? ''), part, ...values])
    }
  }
  return lines.map((fields) => `${fields.map(field).join(',')}\n`).join('')
}

/** Names come from files: quoted where they hold what a CSV reads as more than text. */
function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
