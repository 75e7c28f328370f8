/**
 * A copy of a protobuf message with some fields exchanged. Not a spread: the fields that the file
 * left out have their defaults on the message's prototype.
 */
export function changed<M extends object>(message: M, fields: Partial<M>): M {
  return Object.assign(Object.create(Object.getPrototypeOf(message)), message, fields) as M
}
