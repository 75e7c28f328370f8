import type { Section } from '../section.js'
import { adaptive } from './adaptive.js'
import { alignment } from './alignment.js'
import { classes } from './classes.js'
import { eigenvectors } from './eigenvectors.js'
import { kernels } from './kernels.js'
import { layers } from './layers.js'
import { network } from './network.js'
import { overview } from './overview.js'
import { spectrum } from './spectrum.js'
import { training } from './training.js'

/** The page from top to bottom. A new part is a file in this folder and a row here. */
export const sections: readonly Section[] = [
  overview,
  network,
  training,
  alignment,
  kernels,
  classes,
  spectrum,
  eigenvectors,
  layers,
  adaptive,
]
