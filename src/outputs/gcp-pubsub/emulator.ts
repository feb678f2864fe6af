/** Publishing to an emulator of Pub/Sub, which speaks gRPC in the clear and asks for no credentials. */
import type { Output } from '../../core/contract.ts';
import { createGrpcClient } from '../_kit/grpc.ts';
import { GET_TOPIC, PUBLISH, toProtobuf, toTopicRequest } from './publish.ts';

/** @param address `host:port`, as in PUBSUB_EMULATOR_HOST; a scheme in front of it is left aside */
export function openEmulator(
  address: string,
  topic: string,
  attributes: Readonly<Record<string, string>>,
): Output {
  const client = createGrpcClient(`http://${address.replace(/^\w+:\/\//, '')}`, { verify: true });
  return {
    async send(alerts, { signal }) {
      await client.call(PUBLISH, toProtobuf(topic, alerts, attributes), { headers: {}, signal });
    },
    async probe(signal) {
      await client.call(GET_TOPIC, toTopicRequest(topic), { headers: {}, signal });
    },
    async close() {
      client.close();
    },
  };
}
