/**
 * Protocol Buffers' wire format for messages that are described by tables:
 * https://protobuf.dev/programming-guides/encoding. Small on purpose: what a few outputs send and nothing else.
 */

/** How a value is written. `uint` is a varint: enumerations and unsigned integers. */
type Scalar = 'string' | 'bytes' | 'bool' | 'uint' | 'fixed32' | 'fixed64' | 'double';

/** A field of a message. */
export interface Field {
  readonly number: number;
  readonly type: Scalar | MessageType;
  /** The value is a list, each element written as a field of its own. */
  readonly many?: true;
}

/** A message by the names of its fields. A getter lets a message hold itself. */
export interface MessageType {
  readonly [name: string]: Field;
}

/** A value of a field: whole numbers beyond 2^53 are bigints, `bytes` are Buffers. */
export type Value = string | number | bigint | boolean | Uint8Array | Message | readonly Value[];

/** A message by the names of its fields; what is undefined is left out, everything else is written. */
export interface Message {
  readonly [name: string]: Value | undefined;
}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Writes a message; fields that the table does not have are left out. */
export function encode(type: MessageType, message: Message): Buffer {
  const writer = new Writer();
  writeMessage(writer, type, message);
  return writer.bytes();
}

// From the last field to the first: a length stands before what it counts, which is then already written.
function writeMessage(writer: Writer, type: MessageType, message: Message): void {
  for (const name of Object.keys(message).reverse()) {
    const value = message[name];
    const field = type[name];
    if (value === undefined || !field) continue;
    if (!field.many) writeField(writer, field, value);
    else for (const one of (value as readonly Value[]).toReversed()) writeField(writer, field, one);
  }
}

function writeField(writer: Writer, { number, type }: Field, value: Value): void {
  switch (type) {
    case 'bool':
    case 'uint':
      writer.varint(Number(value));
      writer.varint(number * 8 + VARINT);
      return;
    case 'fixed32':
      writer.room(4).writeUInt32LE(value as number);
      writer.varint(number * 8 + FIXED32);
      return;
    case 'fixed64':
      writer.room(8).writeBigUInt64LE(BigInt.asUintN(64, BigInt(value as bigint)));
      writer.varint(number * 8 + FIXED64);
      return;
    case 'double':
      writer.room(8).writeDoubleLE(value as number);
      writer.varint(number * 8 + FIXED64);
      return;
    default: {
      const before = writer.length;
      if (type === 'string') writer.room(Buffer.byteLength(value as string)).write(value as string);
      else if (type === 'bytes') writer.room((value as Uint8Array).length).set(value as Uint8Array);
      else writeMessage(writer, type, value as Message);
      writer.varint(writer.length - before);
      writer.varint(number * 8 + DELIMITED);
    }
  }
}

/** A buffer that is filled from its end to its beginning and grows as it has to. */
class Writer {
  #bytes = Buffer.allocUnsafe(4096);
  length = 0;

  /** The place in front of what is written, to be filled by the caller. */
  room(size: number): Buffer {
    this.length += size;
    if (this.length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.length, this.#bytes.length * 2));
      this.#bytes.copy(grown, grown.length - this.#bytes.length);
      this.#bytes = grown;
    }
    const start = this.#bytes.length - this.length;
    return this.#bytes.subarray(start, start + size);
  }

  /** A whole number from 0 to 2^53. */
  varint(value: number): void {
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    const place = this.room(size);
    let rest = value;
    for (let at = 0; at < size; at++) {
      place[at] = (rest % 128) + (at < size - 1 ? 128 : 0);
      rest = Math.floor(rest / 128);
    }
  }

  bytes(): Buffer {
    return this.#bytes.subarray(this.#bytes.length - this.length);
  }
}

/** Reads a message; fields that the table does not have are skipped. @throws RangeError when it ends too early */
export function decode(type: MessageType, bytes: Buffer): Message {
  const fields = new Map(Object.entries(type).map(([name, field]) => [field.number, { name, field }]));
  const message: Record<string, Value> = {};
  const reader = new Reader(bytes);
  while (!reader.done) {
    const tag = Number(reader.varint());
    const raw = reader.value(tag & 7);
    const known = fields.get(tag >>> 3);
    if (!known) continue;
    const { name, field } = known;
    const value = toValue(field.type, raw);
    if (field.many) message[name] = [...((message[name] as Value[] | undefined) ?? []), value];
    else message[name] = value;
  }
  return message;
}

function toValue(type: Field['type'], raw: bigint | Buffer): Value {
  if (typeof raw === 'bigint') {
    if (type === 'bool') return raw !== 0n;
    return raw <= Number.MAX_SAFE_INTEGER ? Number(raw) : raw;
  }
  switch (type) {
    case 'string':
      return raw.toString();
    case 'fixed32':
      return raw.readUInt32LE();
    case 'fixed64':
      return raw.readBigUInt64LE();
    case 'double':
      return raw.readDoubleLE();
    case 'bytes':
    case 'bool':
    case 'uint':
      return raw;
    default:
      return decode(type, raw);
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#take(1)[0]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw new RangeError('a number of the message is too long');
  }

  value(wireType: number): bigint | Buffer {
    if (wireType === VARINT) return this.varint();
    if (wireType === FIXED64) return this.#take(8);
    if (wireType === FIXED32) return this.#take(4);
    if (wireType === DELIMITED) return this.#take(Number(this.varint()));
    throw new RangeError('the message holds what cannot be read');
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new RangeError('the message ends too early');
    const piece = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return piece;
  }
}
