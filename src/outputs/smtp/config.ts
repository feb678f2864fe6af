import type { Mechanism } from './sasl.ts';

/** The output's own keys, see index.ts. */
export interface SmtpConfig {
  hostport: string;
  tls: boolean;
  tlsmode: 'auto' | 'starttls' | 'implicit';
  from: string;
  to: string[];
  outputformat: 'html' | 'text';
  authmechanism: Mechanism | 'none';
  user: string;
  password: string;
  token: string;
  identity: string;
  trace: string;
}
