/** Header values on the wire, where HTTP and gRPC ask for ASCII. Pure. */

const NOT_ASCII = /[^\x20-\x7e]/;

/** UTF-8 with a character for each byte: what Go's clients send, and write with Node's `latin1`. */
export function toRawUtf8(value: string): string {
  return NOT_ASCII.test(value) ? Buffer.from(value).toString('latin1') : value;
}
