// The table of commands: one row each.
import { adaptCommand } from './adapt.js'
import { alignCommand } from './align.js'
import { auditCommand } from './audit.js'
import { averageCommand } from './average.js'
import { sourceBuildCommand } from './build.js'
import type { CommandDefinition } from './command.js'
import { doctorCommand } from './doctor.js'
import { featuresCommand } from './features.js'
import { fitCommand } from './fit.js'
import { infoCommand } from './info.js'
import { jacobianCommand } from './jacobian.js'
import { jvpCommand } from './jvp.js'
import { kernelCommand } from './kernel.js'
import { ntkCommand } from './ntk.js'
import { predictCommand } from './predict.js'
import { probeCommand } from './probe.js'
import { runCommand } from './run.js'
import { sketchCommand } from './sketch.js'
import { workerCommand } from './worker.js'

export const commands: readonly CommandDefinition[] = [
  infoCommand,
  runCommand,
  jacobianCommand,
  featuresCommand,
  jvpCommand,
  ntkCommand,
  sketchCommand,
  workerCommand,
  kernelCommand,
  fitCommand,
  adaptCommand,
  predictCommand,
  auditCommand,
  averageCommand,
  alignCommand,
  probeCommand,
  doctorCommand,
  sourceBuildCommand,
]
