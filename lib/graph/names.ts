// Readable names for parameters: exporters keep some and rename others (`onnx::MatMul_12`).
import type { PreparedGraph } from './prepare.js'

/** What a parameter is called and which layer it belongs to. */
export interface ReadableName {
  /** Module that owns it: `net.1`, `b.0.a.qkv`. */
  layer: string
  /** Name to show: the initializer's own, or one made from the layer and its role there. */
  label: string
}

/** Does the name say nothing about the module? */
function isGenerated(name: string): boolean {
  return /^(onnx::|val_\d+$|\d+$|_?const|_?tensor_constant|ortshared_|[A-Z]\w*_\d+_(const|tensor)\w*$)/i.test(
    name,
  )
}

/**
 * Module of a node from its scope: `/b/b.0/a/qkv/MatMul` is `b.0.a.qkv` (a child of a sequence is
 * written with its parent's name, which is not repeated).
 */
export function scopeOf(nodeName: string): string {
  const parts = nodeName.split('/').filter((part) => part !== '')
  parts.pop()
  const modules: string[] = []
  for (const part of parts) {
    const last = modules.at(-1)
    if (last !== undefined && part.startsWith(`${last}.`)) modules[modules.length - 1] = part
    else modules.push(part)
  }
  return modules.join('.')
}

/** `net.1` of `net.1.weight`, `pos` of `pos`. */
function moduleOf(name: string): string {
  const plain = name.replace(/#\d+$/, '')
  const cut = Math.max(plain.lastIndexOf('.'), plain.lastIndexOf('/'))
  return cut > 0 ? plain.slice(0, cut) : plain
}

/** The role of input `position` of an operator, by PyTorch's words. */
function roleOf(op: string, position: number): string {
  if (position === 2 && /^(Conv|ConvTranspose|Gemm|.*Normalization)$/.test(op)) return 'bias'
  if (op === 'Add' || op === 'Sub') return 'bias'
  return 'weight'
}

/**
 * Layer and label of a parameter that node `consumer` (operator `op`) takes as input `position`.
 */
export function readableName(
  name: string,
  consumer: { name: string; op: string } | undefined,
  position: number,
): ReadableName {
  const scope = consumer ? scopeOf(consumer.name) : ''
  if (!isGenerated(name)) return { layer: moduleOf(name), label: name }
  if (scope === '') return { layer: name, label: name }
  return { layer: scope, label: `${scope}.${roleOf(consumer?.op ?? '', position)}` }
}

/** The graph's outputs and all that its nodes make, but for what is stored in the file. */
export function namesOfValues({ native: { nodes, values }, outputs, statics, ids }: PreparedGraph) {
  const names = new Set(outputs)
  for (const { outputs: made } of nodes) {
    for (const id of made) if (id >= 0 && !statics.has(id)) names.add(values[id]?.name as string)
  }
  return [...names].filter((name) => !statics.has(ids.get(name) ?? -1) || outputs.includes(name))
}
