/**
 * Whether Falco's configuration sends its alerts where a Tiercel with this configuration takes them. Pure.
 * Falco's keys and defaults: https://github.com/falcosecurity/falco/blob/master/falco.yaml (read 2026-07).
 */
import type { ServerConfig } from '../../core/config/types.ts';
import { firstSegment, placeOf } from '../../core/http-server/target.ts';
import { percentDecoded } from '../../core/url-parts.ts';
import { isLoopback } from '../api.ts';
import { type Check, fail, ok, warn } from './check.ts';
import type { FalcoSettings } from './falco-file.ts';

type Server = Pick<ServerConfig, 'port' | 'tls' | 'auth'>;

/** Checks one key after the other; the order is the one in which a person would mend them. */
export function checkFalco(settings: FalcoSettings, server: Server): Check[] {
  const http = mapOf(settings.http_output);
  const checks = [jsonOutput(settings), ...includedProperties(settings), enabled(http)];
  if (isOn(http.enabled)) checks.push(...target(http, server), keepAlive(http));
  return checks;
}

function jsonOutput(settings: FalcoSettings): Check {
  const name = 'falco json_output';
  return isOn(settings.json_output)
    ? ok(name, 'alerts are sent as JSON')
    : fail(name, 'Falco sends plain text, which is refused with 400', 'set json_output: true in falco.yaml');
}

const PROPERTIES: [key: string, without: string][] = [
  ['json_include_output_property', 'alerts come without their text'],
  ['json_include_tags_property', 'alerts come without tags: routing by tag matches nothing'],
  [
    'json_include_output_fields_property',
    'alerts come without output fields: routing by namespace, pod or container matches nothing',
  ],
];

/** All three are on where falco.yaml does not name them. */
function includedProperties(settings: FalcoSettings): Check[] {
  const off = PROPERTIES.filter(([key]) => settings[key] !== undefined && !isOn(settings[key]));
  if (off.length === 0) return [ok('falco json_include_*', 'text, tags and fields are sent')];
  return off.map(([key, without]) => warn(`falco ${key}`, without, `set ${key}: true`));
}

function enabled(http: FalcoSettings): Check {
  const name = 'falco http_output.enabled';
  if (isOn(http.enabled)) return ok(name, 'Falco sends over HTTP');
  return fail(
    name,
    'Falco does not send over HTTP',
    'set http_output.enabled: true; in a file of config.d the whole http_output map has to stand, it replaces the one in falco.yaml',
  );
}

// Only TCP probes: Falco reuses its connection in any case (CURLOPT_TCP_KEEPALIVE in outputs_http.cpp).
function keepAlive(http: FalcoSettings): Check {
  const name = 'falco http_output.keep_alive';
  return isOn(http.keep_alive)
    ? ok(name, 'idle connections are probed')
    : warn(
        name,
        'idle connections are not probed: a firewall or NAT may drop one, and the alert after it waits for a timeout',
        'set http_output.keep_alive: true (Falco 0.37 and later)',
      );
}

function target(http: FalcoSettings, server: Server): Check[] {
  const name = 'falco http_output.url';
  // Falco itself takes quotes off.
  const text = String(http.url ?? '').replace(/^(["'])(.*)\1$/, '$2');
  if (text.includes('${')) {
    return [warn(name, 'holds a variable of Falco’s environment, which cannot be seen here')];
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    return [
      fail(name, text ? 'is no http:// or https:// address' : 'is empty', `set it to ${wantedUrl(server)}`),
    ];
  }
  const problems = [
    ...wrongScheme(url, server),
    ...wrongPort(url, server),
    ...wrongPath(url, server),
    ...missingCredentials(url, server),
  ].map(check => ({ ...check, name }));
  const address = `${url.protocol}//${url.host}${url.pathname === '/' ? '' : '/…'}`;
  return [...(problems.length > 0 ? problems : [ok(name, `${address} fits`)]), ...tls(http, url, server)];
}

function wantedUrl(server: Server): string {
  const path = server.auth.path ? '/<the secret path>' : '';
  return `${server.tls ? 'https' : 'http'}://<host of tiercel>:${server.port}${path}`;
}

const portOf = (url: URL) => Number(url.port || (url.protocol === 'https:' ? 443 : 80));

/** Plain HTTP is still right on the port that is kept for it, when alerts are taken there. */
function isPlainPath(url: URL, server: Server): boolean {
  return portOf(url) === server.tls?.plainPort && server.tls.plainPaths.some(path => placeOf(path) === '/');
}

function wrongScheme(url: URL, server: Server): Check[] {
  if (url.protocol === 'http:' && server.tls && !isPlainPath(url, server)) {
    return [
      fail('', 'is http, but Tiercel speaks TLS on this port', 'write https:// or turn tlsserver.deploy off'),
    ];
  }
  if (url.protocol === 'https:' && !server.tls && portOf(url) === server.port) {
    return [fail('', 'is https, but Tiercel speaks plain HTTP', 'write http:// or turn tlsserver.deploy on')];
  }
  return [];
}

function wrongPort(url: URL, server: Server): Check[] {
  const port = portOf(url);
  if (port === server.port || isPlainPath(url, server)) return [];
  const message = `goes to port ${port}, Tiercel listens on ${server.port}`;
  if (isLoopback(url.hostname)) return [fail('', message, `write port ${server.port}`)];
  return [warn('', message, 'right only if a Service, ingress or port mapping stands between')];
}

function wrongPath(url: URL, server: Server): Check[] {
  const path = entersByPath(url, server) ? firstSegment(url.pathname).rest : url.pathname;
  if (placeOf(path, 'POST') !== '/')
    return [fail('', `${placeOf(path, 'POST')} does not take alerts`, 'let the path be /')];
  return url.search || url.hash ? [warn('', 'has a query or fragment, which is ignored')] : [];
}

function entersByPath(url: URL, server: Server): boolean {
  const secret = server.auth.path.replace(/^\/+|\/+$/g, '');
  return secret !== '' && firstSegment(url.pathname).segment === secret;
}

// Falco cannot send a header of its own, so that a token is out of its reach; user name, password and path are not.
function missingCredentials(url: URL, server: Server): Check[] {
  const { token, username, password, path } = server.auth;
  const wantsPassword = username !== '' || password !== '';
  if (!token && !wantsPassword && !path) return [];
  if (entersByPath(url, server)) return [];
  if (wantsPassword && percentDecoded(url.username) === username && percentDecoded(url.password) === password)
    return [];
  if (!path && !wantsPassword) {
    return [
      fail(
        '',
        'Falco cannot send the token that is asked for',
        'set a user name and password or a secret path as well',
      ),
    ];
  }
  const how = path ? 'http(s)://<host>:<port>/<secret path>' : 'http(s)://<user>:<password>@<host>:<port>';
  return [fail('', 'lacks the credentials that Tiercel asks for, or has others', `write it as ${how}`)];
}

function tls(http: FalcoSettings, url: URL, server: Server): Check[] {
  if (url.protocol !== 'https:') return [];
  const checks: Check[] = [];
  if (isOn(http.insecure)) {
    checks.push(
      warn(
        'falco http_output.insecure',
        'the certificate is not checked: alerts may go to somebody else',
        'set http_output.ca_cert to the authority of Tiercel’s certificate and insecure: false',
      ),
    );
  }
  if (server.tls?.clientCaFile && !isOn(http.mtls)) {
    checks.push(
      fail(
        'falco http_output.mtls',
        'Tiercel asks for a client certificate, Falco shows none',
        'set http_output.mtls: true with client_cert and client_key',
      ),
    );
  }
  return checks;
}

function isOn(value: unknown): boolean {
  return value === true || (typeof value === 'string' && /^(true|yes|on|y)$/i.test(value));
}

function mapOf(value: unknown): FalcoSettings {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as FalcoSettings) : {};
}
