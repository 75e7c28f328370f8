// Tiles of a store: which are there, whole, and how others are put there.
import type { NdArray } from '../io/index.js'
import type { Tile, TilePlace } from '../io/sink.js'
import { chunksOf, encodeChunk, type Grid, isSound, partOf } from './layout.js'
import type { Storage } from './storage.js'

/** Chunks that are looked at together. */
const together = 16

export class Tiles {
  readonly #storage: Storage
  readonly #grid: Grid
  /** Chunks that were seen whole, with their checksum; nobody changes them. */
  readonly sound: Set<string>

  constructor(storage: Storage, grid: Grid, sound: Iterable<string> = []) {
    this.#storage = storage
    this.#grid = grid
    this.sound = new Set(sound)
  }

  /** Of some places those whose tile is not there, or is damaged. */
  async missing(places: readonly TilePlace[], signal?: AbortSignal): Promise<TilePlace[]> {
    const found: TilePlace[] = []
    for (let first = 0; first < places.length; first += together) {
      signal?.throwIfAborted()
      const some = places.slice(first, first + together)
      const there = await Promise.all(some.map((place) => this.has(place)))
      found.push(...some.filter((_, k) => !there[k]))
    }
    return found
  }

  async has(place: TilePlace): Promise<boolean> {
    for (const { array, key } of chunksOf(this.#grid, place)) {
      if (this.sound.has(key)) continue
      const chunk = await this.#storage.read(key)
      if (!chunk || !isSound(chunk, array, this.#grid)) return false
      this.sound.add(key)
    }
    return true
  }

  /** The mirrored chunks first: a tile whose own chunks are there was written to its end. */
  async write(tile: Tile): Promise<void> {
    const chunks = chunksOf(this.#grid, tile)
    const ordered = [
      ...chunks.filter(({ mirrored }) => mirrored),
      ...chunks.filter((c) => !c.mirrored),
    ]
    for (const { array, key, mirrored } of ordered) {
      const part = partOf(tile.arrays.get(array.name) as NdArray, this.#grid, mirrored)
      await this.#storage.put(key, encodeChunk(part, array, this.#grid))
      this.sound.add(key)
    }
  }
}
