/**
 * The messages of NATS Streaming that a publisher needs, by the numbers of their fields:
 * https://github.com/nats-io/stan.go/blob/main/pb/protocol.proto. The project is retired and its client for Node.js with
 * it; the protocol is a handful of messages over ordinary NATS subjects.
 */
import type { MessageType } from '../_kit/protobuf.ts';

export const ConnectRequest = {
  clientID: { number: 1, type: 'string' },
  heartbeatInbox: { number: 2, type: 'string' },
  protocol: { number: 3, type: 'uint' },
  connID: { number: 4, type: 'bytes' },
  pingInterval: { number: 5, type: 'uint' },
  pingMaxOut: { number: 6, type: 'uint' },
} as const satisfies MessageType;

export const ConnectResponse = {
  pubPrefix: { number: 1, type: 'string' },
  subRequests: { number: 2, type: 'string' },
  closeRequests: { number: 4, type: 'string' },
  error: { number: 5, type: 'string' },
  pingRequests: { number: 7, type: 'string' },
  /** In seconds; 0 when the server wants no pings. */
  pingInterval: { number: 8, type: 'uint' },
  pingMaxOut: { number: 9, type: 'uint' },
} as const satisfies MessageType;

export const PubMsg = {
  clientID: { number: 1, type: 'string' },
  guid: { number: 2, type: 'string' },
  subject: { number: 3, type: 'string' },
  data: { number: 5, type: 'bytes' },
  connID: { number: 6, type: 'bytes' },
} as const satisfies MessageType;

export const PubAck = {
  guid: { number: 1, type: 'string' },
  error: { number: 2, type: 'string' },
} as const satisfies MessageType;

export const Ping = { connID: { number: 1, type: 'bytes' } } as const satisfies MessageType;

export const PingResponse = { error: { number: 1, type: 'string' } } as const satisfies MessageType;

export const CloseRequest = { clientID: { number: 1, type: 'string' } } as const satisfies MessageType;

/** The version from which the server knows a connection by its id and answers pings. */
export const PROTOCOL = 1;

/** What the server says when another living client has this id; server/server.go of nats-streaming-server. */
export const ALREADY_REGISTERED = 'stan: clientID already registered';

/** What it says to a publisher that it does not know, or does not know any more. */
export const INVALID_PUBLISH = 'stan: invalid publish request';

/** What it takes as the id of a client. */
export const CLIENT_ID = /^[a-zA-Z0-9_-]+$/;
