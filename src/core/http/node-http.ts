/**
 * node:http as a plain value. An `import` of it makes Node.js read everything that it exports, WebSocket among it, and
 * so load its whole own client for that: a fifth of the time that the daemon takes to start.
 */
const http = process.getBuiltinModule('node:http');

export const { STATUS_CODES } = http;

export default http;
