/**
 * The keys of falcosidekick's outputs (2.34.1 and the 35 commits after it), so that its files are understood whole
 * although some keys have no effect here.
 */

// One line per section.
const SECTIONS = `
alertmanager: hostport checkcert customheaders customseveritymap dropeventdefaultpriority
  dropeventthresholds endpoint expiresafter extraannotations extralabels maxconcurrentrequests
  minimumpriority mutualtls
aws.cloudwatchlogs: loggroup logstream minimumpriority
aws.kinesis: streamname minimumpriority
aws.lambda: functionname invocationtype logtype minimumpriority
aws.s3: bucket endpoint minimumpriority objectcannedacl prefix
aws.securitylake: bucket region accountid prefix batchsize interval minimumpriority
aws.sns: topicarn minimumpriority rawjson
aws.sqs: url minimumpriority
azure.eventhub: name minimumpriority namespace
cliq: webhookurl checkcert icon maxconcurrentrequests messageformat minimumpriority mutualtls
  outputformat useemoji
cloudevents: address checkcert extensions maxconcurrentrequests minimumpriority mutualtls
datadog: apikey checkcert host maxconcurrentrequests minimumpriority mutualtls
datadoglogs: apikey checkcert host maxconcurrentrequests minimumpriority mutualtls service
discord: webhookurl checkcert icon maxconcurrentrequests minimumpriority mutualtls
dogstatsd: forwarder namespace tags
dynatrace: apitoken apiurl checkcert minimumpriority
elasticsearch: hostport apikey batching.batchsize batching.enabled batching.flushinterval checkcert
  createindextemplate customheaders enablecompression flattenfields index maxconcurrentrequests
  minimumpriority mutualtls numberofreplicas numberofshards password pipeline suffix type username
fission: function checkcert functionnamespace kubeconfig maxconcurrentrequests minimumpriority mutualtls
  routernamespace routerport routerservice
gcp.chronicle: region projectid instanceid logtype minimumpriority
gcp.cloudfunctions: name minimumpriority
gcp.cloudrun: endpoint jwt minimumpriority
gcp.pubsub: projectid topic customattributes minimumpriority
gcp.storage: bucket minimumpriority prefix
googlechat: webhookurl checkcert maxconcurrentrequests messageformat minimumpriority mutualtls
  outputformat
gotify: hostport checkcert format minimumpriority token
grafana: hostport apikey allfieldsastags checkcert customheaders dashboardid maxconcurrentrequests
  minimumpriority mutualtls panelid
grafanaoncall: webhookurl checkcert customheaders maxconcurrentrequests minimumpriority mutualtls
influxdb: hostport bucket checkcert database maxconcurrentrequests minimumpriority mutualtls organization
  password precision token user
kafka: hostport topic async balancer clientid compression minimumpriority password requiredacks sasl tls
  topiccreation username
kafkarest: address checkcert maxconcurrentrequests minimumpriority mutualtls version
kubeless: namespace function checkcert kubeconfig maxconcurrentrequests minimumpriority mutualtls port
logstash: address cacertfile certfile checkcert keyfile minimumpriority mutualtls port tags tls
loki: hostport apikey checkcert customheaders endpoint extralabels extralabelslist format
  maxconcurrentrequests minimumpriority mutualtls tenant user
mattermost: webhookurl checkcert footer icon maxconcurrentrequests messageformat minimumpriority
  mutualtls outputformat username
mqtt: broker checkcert minimumpriority password qos retained topic user
n8n: address checkcert headerauthname headerauthvalue minimumpriority password user
nats: hostport checkcert maxconcurrentrequests minimumpriority mutualtls subjecttemplate
nodered: address checkcert customheaders maxconcurrentrequests minimumpriority mutualtls password user
openfaas: functionname checkcert functionnamespace gatewaynamespace gatewayport gatewayservice kubeconfig
  maxconcurrentrequests minimumpriority mutualtls
openobserve: hostport checkcert customheaders maxconcurrentrequests minimumpriority mutualtls
  organizationname password streamname username
opsgenie: apikey checkcert maxconcurrentrequests minimumpriority mutualtls region
otlp.logs: endpoint checkcert extraenvvars headers minimumpriority protocol synced timeout tls
otlp.metrics: endpoint checkcert extraattributes extraattributeslist extraenvvars headers minimumpriority
  protocol timeout tls
otlp.traces: endpoint checkcert duration extraenvvars headers minimumpriority protocol synced timeout tls
pagerduty: routingkey checkcert maxconcurrentrequests minimumpriority mutualtls region
policyreport: enabled falconamespace kubeconfig maxevents minimumpriority prunebypriority
quickwit: hostport apiendpoint autocreateindex checkcert customheaders index maxconcurrentrequests
  minimumpriority mutualtls version
rabbitmq: url queue minimumpriority
redis: address cacertfile certfile checkcert database key keyfile maxconcurrentrequests minimumpriority
  mutualtls password storagetype tls username version
rocketchat: webhookurl checkcert footer icon maxconcurrentrequests messageformat minimumpriority
  mutualtls outputformat username
slack: webhookurl channel checkcert footer icon maxconcurrentrequests messageformat minimumpriority
  mutualtls outputformat username
smtp: hostport from to authmechanism identity minimumpriority outputformat password tls token trace
  user
splunk: host checkcert customheaders maxconcurrentrequests minimumpriority mutualtls token
spyderbat: orguid apikey apiurl minimumpriority source sourcedescription
stan: hostport clusterid clientid checkcert maxconcurrentrequests minimumpriority mutualtls
  subjecttemplate
statsd: forwarder namespace tags
sumologic: receiverurl checkcert maxconcurrentrequests minimumpriority mutualtls name sourcecategory
  sourcehost
syslog: host format minimumpriority port protocol
talon: address checkcert minimumpriority
teams: webhookurl activityimage checkcert maxconcurrentrequests minimumpriority mutualtls outputformat
tekton: eventlistener checkcert maxconcurrentrequests minimumpriority mutualtls
telegram: chatid token checkcert host messagethreadid minimumpriority
timescaledb: host database hypertablename minimumpriority password port user
wavefront: endpointtype endpointhost batchsize endpointmetricport endpointtoken flushintervalsecods
  flushintervalseconds metricname minimumpriority
webex: webhookurl checkcert maxconcurrentrequests minimumpriority mutualtls
webhook: address checkcert customheaders maxconcurrentrequests method minimumpriority mutualtls
webui: url checkcert maxconcurrentrequests mutualtls
yandex.datastreams: streamname endpoint minimumpriority
yandex.s3: bucket endpoint minimumpriority prefix
zincsearch: hostport checkcert index minimumpriority password username
`;

// Keys that several outputs share, or that falcosidekick takes and ignores.
const SHARED = `
aws.region aws.accesskeyid aws.secretaccesskey aws.rolearn aws.externalid aws.checkidentity
gcp.credentials gcp.workloadidentity yandex.accesskeyid yandex.secretaccesskey yandex.region
yamdex.s3.minimumpriority prometheus.extralabelslist
`;

/** One output of falcosidekick. */
export interface KnownOutput {
  /** `datadog`, `aws.sqs`. */
  section: string;
  keys: readonly string[];
}

/** All outputs of falcosidekick, prometheus aside. */
export const KNOWN_OUTPUTS: readonly KnownOutput[] = SECTIONS.trim()
  .split(/\n(?! )/)
  .map(line => {
    const [section, ...keys] = line.split(/:?\s+/);
    return { section: section!, keys };
  });

const PATHS = new Set<string>();
for (const path of [
  ...SHARED.trim().split(/\s+/),
  ...KNOWN_OUTPUTS.flatMap(({ section, keys }) => keys.map(key => `${section}.${key}`)),
]) {
  const parts = path.split('.');
  for (let depth = 1; depth <= parts.length; depth++) PATHS.add(parts.slice(0, depth).join('.'));
}

/** Whether falcosidekick has an output key at this path (in lower case) or below it. */
export function isKnownPath(path: string): boolean {
  return PATHS.has(path);
}

const LEAVES = new Set(KNOWN_OUTPUTS.flatMap(({ section, keys }) => keys.map(key => `${section}.${key}`)));

/** Whether falcosidekick has a value, not further keys, at this path. */
export function isKnownLeaf(path: string): boolean {
  return LEAVES.has(path);
}
