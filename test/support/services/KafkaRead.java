import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import java.util.zip.CRC32;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * Reads topics with Kafka's own client: arguments are a broker, then topic=count for each. Prints a line per record with
 * topic, partition, key, value (Base64, key "-" when null), and the partitions that murmur2 and crc32 give the key.
 */
class KafkaRead {
    public static void main(String[] args) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            for (int i = 1; i < args.length; i++) {
                String[] wanted = args[i].split("=");
                read(consumer, wanted[0], Integer.parseInt(wanted[1]));
            }
        }
    }

    private static void read(KafkaConsumer<byte[], byte[]> consumer, String topic, int count) {
        List<TopicPartition> partitions = new ArrayList<>();
        consumer.partitionsFor(topic).forEach(p -> partitions.add(new TopicPartition(topic, p.partition())));
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        int seen = 0;
        // The last look finds what nobody expected.
        for (int idle = 0; idle < 100 && !(seen >= count && idle > 0); ) {
            int before = seen;
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                print(record, partitions.size());
                seen++;
            }
            idle = seen > before ? 0 : idle + 1;
        }
    }

    private static void print(ConsumerRecord<byte[], byte[]> record, int partitions) {
        Base64.Encoder base64 = Base64.getEncoder();
        byte[] key = record.key();
        byte[] hashed = key == null ? new byte[0] : key;
        CRC32 crc = new CRC32();
        crc.update(hashed);
        System.out.println(String.join("\t",
                record.topic(),
                String.valueOf(record.partition()),
                key == null ? "-" : base64.encodeToString(key),
                base64.encodeToString(record.value()),
                String.valueOf(Utils.toPositive(Utils.murmur2(hashed)) % partitions),
                String.valueOf(crc.getValue() % partitions)));
    }
}
