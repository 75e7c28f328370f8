// A process of its own that runs a stored job: folder of the job, file for the arrays.
import { argv } from 'node:process'
import { readJob, runJob, writeSafetensors } from '../../lib/index.js'

const [, , folder = '', out = ''] = argv
await writeSafetensors(out, await runJob(await readJob(folder)))
