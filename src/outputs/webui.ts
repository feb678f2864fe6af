import { secretUrl } from '../core/keys.ts';
import { defineHttpOutput } from './_kit/http.ts';

// falcosidekick's names of its outputs, by which the page filters, where they are more than a capital letter.
const LISTED =
  'AlertManager AWSCloudWatchLogs AWSKinesis AWSLambda AWSS3 AWSSecurityLake AWSSNS AWSSQS CloudEvents DatadogLogs ' +
  'DogStatsD GCPChronicle GCPCloudFunctions GCPCloudRun GCPPubSub GCPStorage GoogleChat GrafanaOnCall KafkaRest MQTT ' +
  'n8n NATS NodeRed OpenFaaS OpenObserve OTLPLogs OTLPMetrics OTLPTraces PolicyReport RabbitMQ SMTP STAN StatsD ' +
  'SumoLogic TimescaleDB WebUI YandexDataStreams YandexS3';
const NAMES = new Map(LISTED.split(' ').map(name => [name.toLowerCase(), name]));
NAMES.set('azureeventhub', 'EventHub');

/** `loki` → `Loki`, `aws.sqs` → `AWSSQS`. */
function toListedName(output: string): string {
  const name = output.replace('.', '');
  return NAMES.get(name) ?? name.charAt(0).toUpperCase() + name.slice(1);
}

export default defineHttpOutput({
  name: 'webui',
  title: 'Falcosidekick UI',
  category: 'web',
  docs: "Posts each alert, with the names of the outputs that are on, to falcosidekick's own web page, see https://github.com/falcosecurity/falcosidekick-ui.",
  keys: { url: secretUrl('URL of Falcosidekick UI; setting it turns the output on.') },
  enabledBy: 'url',
  request(alert, config, { outputs }) {
    const names = [...new Set(outputs().map(toListedName))];
    return { url: config.url, body: `{"event":${alert.json},"outputs":${JSON.stringify(names)}}` };
  },
  templateBody: () => 'json',
  example: { url: 'http://falcosidekick-ui:2802' },
});
