/** Throws what an aborted call ends with once its caller has asked to stop. */
export function checkStop({ control }: { control: BigInt64Array }): void {
  if (Atomics.load(control, 0) !== 0n)
    throw Object.assign(new Error('aborted'), { code: 'ABORTED' })
}
