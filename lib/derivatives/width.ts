/** Results have the width of the network's numbers, which its type tells. */
export function ofWidth<T>(result: Promise<unknown>): Promise<T> {
  return result as Promise<T>
}
