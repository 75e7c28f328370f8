/** What an aborted call rejects with: the signal's own AbortError, or one that has its reason as cause. */
export function abortError(signal: AbortSignal | undefined): DOMException {
  const { reason } = signal ?? {}
  if (reason instanceof DOMException && reason.name === 'AbortError') return reason
  const error = new DOMException('The operation was aborted', 'AbortError')
  if (reason !== undefined) Object.defineProperty(error, 'cause', { value: reason })
  return error
}

/** Calls `stop` once the signal aborts, at once if it has. @returns ends that. */
export function onAbort(signal: AbortSignal | undefined, stop: () => void): () => void {
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  return () => signal?.removeEventListener('abort', stop)
}

/** Waits for work that cannot be stopped; after an abort nobody waits for it any more. */
export function leavable<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const end = onAbort(signal, () => reject(abortError(signal)))
    work.then(resolve, reject).finally(end)
  })
}
