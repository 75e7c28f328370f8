// The libraries that draw, loaded when something is drawn: one file, made by scripts/setup/bundle.mjs.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as Dagre from '@dagrejs/dagre'
import type * as PlotLibrary from '@observablehq/plot'
import type * as FastPng from 'fast-png'
import type * as LinkeDom from 'linkedom'
import { lazily } from '../core/lazily.js'
import { packageRoot } from '../core/package.js'

interface Libraries {
  Plot: typeof PlotLibrary
  dagre: typeof Dagre
  parseHTML: typeof LinkeDom.parseHTML
  encode: typeof FastPng.encode
}

export const libraries = lazily<Libraries>(() =>
  createRequire(import.meta.url)(join(packageRoot, 'dist/package/drawing.cjs')),
)

export const Plot = lazily(() => libraries.Plot)
