// A worker that does as it is told, dying included.
import { parentPort } from 'node:worker_threads'

parentPort?.on('message', ({ type, id, output }: { type: string; id: number; output: string }) => {
  if (type === 'end') process.exit()
  if (type !== 'run') return
  if (output === 'throw') throw new Error('died')
  if (output === 'exit') process.exit(7)
  parentPort?.postMessage({ id, ok: true, result: output })
})
