import { quote } from '../core/quote.js'

// How messages show names that come from a file: quoted, escaped and cut, so that they stay text.

/** 'node "conv1" (Conv)', or by position where it has no name. */
export function nodeLabel(
  node: { name: string; opType: string; domain: string },
  index: number,
): string {
  const domain = node.domain === '' || node.domain === 'ai.onnx' ? '' : `${node.domain}::`
  const op = `${domain}${node.opType}`.slice(0, 120)
  return node.name === '' ? `node ${index} (${op})` : `node ${quote(node.name)} (${op})`
}

/** What the addon and messages call a node: its name, or else by a value that it makes. */
export function titleOf(node: { name: string; opType: string; output: readonly string[] }): string {
  const { name, opType, output } = node
  return name || `${opType} of ${output.find((value) => value !== '') ?? '?'}`
}

/**
 * Has every object of JavaScript a member of this name? onnxruntime-node keeps what it fetches in plain
 * objects, where it takes such members for tensors, and loses `__proto__`.
 */
export const isMember = (name: string): boolean => name in Object.prototype
