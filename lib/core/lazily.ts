/**
 * An object that is made when it is first used. For what costs time to load and is often not needed.
 * What `make` throws, every use throws.
 */
export function lazily<T extends object>(make: () => T): T {
  let made: T | undefined
  const object = () => {
    made ??= make()
    return made
  }
  return new Proxy({} as T, { get: (_, name) => Reflect.get(object(), name) })
}
