/** What tests of HTTP outputs want beside their server: a host with a real client, and ways to read the server. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionConfig } from '../../../src/core/config/types.ts';
import type { Host } from '../../../src/core/contract.ts';
import { clientOf } from '../http-client.ts';
import { hostOf, type Logged } from './drive.ts';

/** A host that speaks HTTP for real. Call `closeClients` in the end. */
export function httpHostOf(connection: Partial<ConnectionConfig> = {}, logged: Logged[] = []): Host {
  const http = clientOf(connection);
  return { ...hostOf({}, logged), http, connect: () => http };
}

/** Whether a GET is answered with 200. */
export async function answersOk(url: string): Promise<boolean> {
  return (await fetch(url)).status === 200;
}

/** The JSON of an answer. @throws Error with its text when the status is not 2xx */
export async function fetchJson<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

/** Reads again and again until it is what is awaited; returns it. @throws Error with what was read last */
export async function readUntil<T>(
  read: () => Promise<T>,
  holds: (value: T) => boolean,
  withinMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`not what was awaited: ${JSON.stringify(value)}`);
    await sleep(50);
  }
}
