/** The alerts that are sent: about a kilobyte each, of different rules, priorities and fields, as Falco writes them. */
import { BLANK_MARK } from './marker.ts';

interface Source {
  rule: string;
  priority: string;
  source: string;
  text: string;
  tags: string[];
  fields: Record<string, string | number | null>;
}

const image = (name: string, tag: string) => ({
  'container.image.repository': `registry.example/${name}`,
  'container.image.tag': tag,
});

const SOURCES: readonly Source[] = [
  {
    rule: 'Terminal shell in container',
    priority: 'Notice',
    source: 'syscall',
    text: 'A shell with a terminal was opened in a container | user=root uid=0 loginuid=-1 process=zsh exepath=/usr/bin/zsh parent=runc command=zsh -l terminal=34816 exe_flags=EXE_WRITABLE|EXE_LOWER_LAYER container=5d1f0c9e77ab name=basket namespace=store pod=basket-6f9c8d7b5-qx4lm',
    tags: ['container', 'maturity_stable', 'mitre_execution', 'shell', 'T1059'],
    fields: {
      'container.id': '5d1f0c9e77ab',
      'container.name': 'basket',
      ...image('store/basket', 'v7.2.0'),
      'evt.arg.flags': 'EXE_WRITABLE|EXE_LOWER_LAYER',
      'evt.type': 'execve',
      'k8s.ns.name': 'store',
      'k8s.pod.name': 'basket-6f9c8d7b5-qx4lm',
      'proc.cmdline': 'zsh -l',
      'proc.exepath': '/usr/bin/zsh',
      'proc.name': 'zsh',
      'proc.pname': 'runc',
      'proc.tty': 34816,
      'user.loginuid': -1,
      'user.name': 'root',
      'user.uid': 0,
    },
  },
  {
    rule: 'Read sensitive file untrusted',
    priority: 'Warning',
    source: 'syscall',
    text: 'A sensitive file was opened by a program that is not trusted | file=/etc/sudoers parent=tmux grandparent=sshd evt_type=openat user=maria uid=1014 process=less exepath=/usr/bin/less command=less +F /etc/sudoers terminal=34822 container=host',
    tags: ['filesystem', 'host', 'container', 'maturity_stable', 'mitre_credential_access', 'T1555'],
    fields: {
      'container.id': 'host',
      'container.name': 'host',
      'evt.type': 'openat',
      'fd.name': '/etc/sudoers',
      'proc.aname[2]': 'sshd',
      'proc.aname[3]': 'systemd',
      'proc.cmdline': 'less +F /etc/sudoers',
      'proc.exepath': '/usr/bin/less',
      'proc.name': 'less',
      'proc.pname': 'tmux',
      'proc.tty': 34822,
      'user.loginuid': 1014,
      'user.name': 'maria',
      'user.uid': 1014,
    },
  },
  {
    rule: 'Contact K8S API Server From Container',
    priority: 'Notice',
    source: 'syscall',
    text: 'A container has connected to the API server | connection=10.42.7.19:40122->10.43.0.1:443 lport=40122 rport=443 fd_type=ipv4 proto=tcp evt_type=connect process=wget command=wget -qO- https://10.43.0.1/api/v1/namespaces namespace=jobs pod=nightly-28991540-m8vzt',
    tags: ['container', 'k8s', 'network', 'maturity_stable', 'mitre_discovery', 'T1565'],
    fields: {
      'container.id': 'c81e72a05b3d',
      'container.name': 'nightly',
      ...image('jobs/nightly', '2026.02'),
      'evt.type': 'connect',
      'fd.lport': 40122,
      'fd.name': '10.42.7.19:40122->10.43.0.1:443',
      'fd.rport': 443,
      'fd.type': 'ipv4',
      'k8s.ns.name': 'jobs',
      'k8s.pod.name': 'nightly-28991540-m8vzt',
      'proc.cmdline': 'wget -qO- https://10.43.0.1/api/v1/namespaces',
      'proc.name': 'wget',
      'proc.pname': 'sh',
      'user.name': 'nobody',
      'user.uid': 65534,
    },
  },
  {
    rule: 'Drop and execute new binary in container',
    priority: 'Critical',
    source: 'syscall',
    text: 'A binary that is not in the image was run | exe=/tmp/.cache/sysupd parent=start.sh grandparent=sh ino_ctime=BIG_CTIME ino_mtime=BIG_MTIME cwd=/tmp/.cache/ container_start=BIG_START evt_type=execve user=www-data process=sysupd command=sysupd --pool 198.51.100.23:3333 --threads 8 container=web',
    tags: ['container', 'process', 'maturity_stable', 'mitre_persistence', 'TA0003', 'PCI_DSS_11.5.1'],
    fields: {
      'container.id': '0b9ce4417fd2',
      'container.name': 'web',
      'container.start_ts': 'BIG_START',
      ...image('edge/nginx', '1.29'),
      'evt.type': 'execve',
      'k8s.ns.name': 'edge',
      'k8s.pod.name': 'web-7c5b9f6d8-t2hrk',
      'proc.aname[2]': 'sh',
      'proc.cmdline': 'sysupd --pool 198.51.100.23:3333 --threads 8',
      'proc.cwd': '/tmp/.cache/',
      'proc.exe': '/tmp/.cache/sysupd',
      'proc.exe_ino.ctime': 'BIG_CTIME',
      'proc.exe_ino.mtime': 'BIG_MTIME',
      'proc.name': 'sysupd',
      'proc.pname': 'sh',
      'proc.sname': 'start.sh',
      'user.name': 'www-data',
      'user.uid': 33,
    },
  },
  {
    rule: 'Attach/Exec Pod',
    priority: 'Informational',
    source: 'k8s_audit',
    text: 'Somebody attached to a pod | user=ben@example.org pod=ledger-1 resource=pods namespace=accounts action=exec command=bash',
    tags: ['k8s'],
    fields: {
      'ka.auditid': '7b1f3c58-62da-4c0e-9d5e-1f8a0c2b7e94',
      'ka.response.code': '101',
      'ka.target.name': 'ledger-1',
      'ka.target.namespace': 'accounts',
      'ka.target.resource': 'pods',
      'ka.target.subresource': 'exec',
      'ka.uri.param[command]': 'bash',
      'ka.user.name': 'ben@example.org',
      'ka.useragent': 'kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9',
      'ka.verb': 'create',
    },
  },
  {
    rule: 'Packet socket created in container',
    priority: 'Notice',
    source: 'syscall',
    text: 'A container has made a packet socket | domain=17(AF_PACKET) type=3 proto=768 connection= lport=<NA> rport=<NA> evt_type=socket user=root uid=0 process=tshark command=tshark -i eth0 -w /tmp/dump.pcap container=e3920fb1c64a',
    tags: ['container', 'network', 'maturity_stable', 'mitre_credential_access', 'T1557.002'],
    fields: {
      'container.id': 'e3920fb1c64a',
      'container.name': 'toolbox',
      'evt.args': 'domain=17(AF_PACKET) type=3 proto=768',
      'evt.type': 'socket',
      'fd.lport': null,
      'fd.rport': null,
      'k8s.ns.name': 'default',
      'k8s.pod.name': 'toolbox',
      'proc.cmdline': 'tshark -i eth0 -w /tmp/dump.pcap',
      'proc.exepath': '/usr/bin/tshark',
      'proc.name': 'tshark',
      'proc.pname': 'bash',
      'proc.tty': 34819,
      'user.loginuid': -1,
      'user.name': 'root',
      'user.uid': 0,
    },
  },
];

/** Integers as Falco sends them, which a double cannot hold. */
const BIG_NUMBERS: Record<string, string> = {
  BIG_START: '1772611200000000001',
  BIG_CTIME: '1772617000112233447',
  BIG_MTIME: '1772616999998877661',
};

const FRACTION = '000000000';

/** An alert as a request with places that are written anew each time it is sent. */
export interface Template {
  bytes: Buffer;
  /** Where markers go. */
  marks: number[];
  /** Where the nine digits after the alert's second are, so that no two times are equal. */
  fraction: number;
}

/** The text of an alert, with blank markers. */
export function alertText(index: number, now: Date): string {
  const { text, fields, ...rest } = SOURCES[index % SOURCES.length]!;
  const second = now.toISOString().slice(0, 19);
  const json = JSON.stringify({
    hostname: `node-${index % 16}.cluster.example`,
    output: `${second.slice(11)}.123456789: ${rest.priority} ${text} mark=${BLANK_MARK}`,
    output_fields: { ...fields, 'evt.hash': BLANK_MARK },
    ...rest,
    time: `${second}.${FRACTION}Z`,
  });
  return json.replace(/"?(BIG_\w+?)("|(?=[ ]))/g, (_, name: string) => BIG_NUMBERS[name]!);
}

/** Requests to the given port of this machine, one for each kind of alert. */
export function templatesFor(port: number, now: Date): Template[] {
  return SOURCES.map((_, index) => {
    const body = alertText(index, now);
    const head = [
      'POST / HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'User-Agent: falcosecurity/falco',
      'Accept: */*',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    const bytes = Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
    const marks: number[] = [];
    for (let at = bytes.indexOf(BLANK_MARK); at >= 0; at = bytes.indexOf(BLANK_MARK, at + 1)) marks.push(at);
    return { bytes, marks, fraction: bytes.lastIndexOf(`${FRACTION}Z`) };
  });
}
