import type { GraphProto } from '../protobuf/index.js'

/** Names that no value of a graph, nor of those inside it, has. */
export class FreshNames {
  /** Every value name of the graph and those given since. */
  readonly #names = new Set<string>()
  /** The last number appended to a name that was taken. */
  readonly #taken = new Map<string, number>()

  constructor(graph: GraphProto) {
    this.#collect(graph)
  }

  #collect(graph: GraphProto): void {
    for (const { name } of [...graph.input, ...graph.initializer]) this.#names.add(name)
    for (const { values } of graph.sparseInitializer) this.#names.add(values?.name ?? '')
    for (const { output, attribute } of graph.node) {
      for (const name of output) this.#names.add(name)
      for (const { g, graphs } of attribute) {
        for (const inner of g ? [g, ...graphs] : graphs) this.#collect(inner)
      }
    }
  }

  /** The name itself where it is free, or else with a number behind. */
  like(name: string): string {
    let free = name
    let k = this.#taken.get(name) ?? 0
    while (this.#names.has(free)) free = `${name}_${++k}`
    this.#taken.set(name, k)
    this.#names.add(free)
    return free
  }
}
