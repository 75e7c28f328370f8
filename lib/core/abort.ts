/** What an aborted call rejects with: the signal's own AbortError, or one that has its reason as cause. */
export function abortError(signal: AbortSignal | undefined): DOMException {
  const { reason } = signal ?? {}
  if (reason instanceof DOMException && reason.name === 'AbortError') return reason
  const error = new DOMException('The operation was aborted', 'AbortError')
  if (reason !== undefined) Object.defineProperty(error, 'cause', { value: reason })
  return error
}
