// Copies of nodes under other names: bodies of functions, branches and loops that are written out.

import type { AttributeProto, GraphProto, NodeProto } from '../protobuf/index.js'
import { changed } from './message.js'
import type { Fresh } from './writer.js'

export class Renamer {
  readonly #scope: string
  readonly #fresh: Fresh
  readonly #given: ReadonlyMap<string, AttributeProto>

  /**
   * @param scope what the names of the copied nodes begin with.
   * @param fresh gives the values that the nodes make a name.
   * @param given attributes that the nodes refer to.
   */
  constructor(scope: string, fresh: Fresh, given: ReadonlyMap<string, AttributeProto> = new Map()) {
    this.#scope = scope
    this.#fresh = fresh
    this.#given = given
  }

  /** @param names what values are called in the copy; those that the node makes are added. */
  node(node: NodeProto, names: Map<string, string>): NodeProto {
    const define = (name: string) => {
      if (name === '') return ''
      if (!names.has(name)) names.set(name, this.#fresh(name))
      return names.get(name) as string
    }
    // Inputs first: they are named before the outputs are.
    const input = node.input.map((name) => names.get(name) ?? name)
    const attribute = node.attribute.flatMap((item) => {
      if (item.refAttrName !== '') {
        const value = this.#given.get(item.refAttrName)
        return value ? [changed(value, { name: item.name })] : []
      }
      const { g, graphs } = item
      if (!g && graphs.length === 0) return [item]
      const inner = (graph: GraphProto) => this.#graph(graph, names)
      return [changed(item, { ...(g ? { g: inner(g) } : {}), graphs: graphs.map(inner) })]
    })
    const name = node.name === '' ? '' : `${this.#scope}/${node.name}`
    return changed(node, { name, input, output: node.output.map(define), attribute })
  }

  #graph(graph: GraphProto, outer: ReadonlyMap<string, string>): GraphProto {
    const names = new Map(outer)
    const own = (value: { name: string }): string => {
      names.set(value.name, this.#fresh(value.name))
      return names.get(value.name) as string
    }
    const input = graph.input.map((value) => changed(value, { name: own(value) }))
    const initializer = graph.initializer.map((value) => changed(value, { name: own(value) }))
    const node = graph.node.map((inner) => this.node(inner, names))
    const output = graph.output.map((value) =>
      changed(value, { name: names.get(value.name) ?? value.name }),
    )
    return changed(graph, { input, initializer, node, output, valueInfo: [] })
  }
}
