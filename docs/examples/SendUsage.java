// Sends usage to ValueVerse over Kafka in binary mode: the attributes of each event are headers of its record, the data is its value.
// It needs the jars of kafka-clients and nothing of ValueVerse; docs/sending-usage.md says why each step is as it is.
//   KAFKA_BROKERS=127.0.0.1:9092 VV_KEY=vv_live_ik_... java -cp "libs/*" docs/examples/SendUsage.java llm.completion acme-prod 1000
import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

public class SendUsage {
  private static final String TOPIC = "usage.ingress";

  /** One call that used some tokens. */
  record Call(String id, Instant at, long tokens) {}

  static ProducerRecord<String, String> recordOf(String topic, String type, String subject, Call call, String key) {
    // The subject is the key of the record: Kafka keeps the order of what has the same key. A number of 16 digits or more would be a string.
    var sent = new ProducerRecord<>(topic, null, call.at().toEpochMilli(), subject, "{\"tokens\":" + call.tokens() + "}");
    var headers = Map.of(
        "content-type", "application/json", "authorization", "Bearer " + key, "ce_specversion", "1.0", "ce_id", call.id(), "ce_source", "/examples/java",
        "ce_type", type, "ce_subject", subject, "ce_time", call.at().toString());
    headers.forEach((name, value) -> sent.headers().add(name, value.getBytes(UTF_8)));
    return sent;
  }

  public static void main(String[] arguments) throws Exception {
    var type = arguments[0];
    var subject = arguments[1];
    var count = Integer.parseInt(arguments[2]);
    var topic = System.getenv().getOrDefault("KAFKA_NAMESPACE", "") + TOPIC;
    var key = System.getenv("VV_KEY");
    // Acknowledged by all copies; what is sent again after a lost answer has the same id, and counts once.
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", System.getenv("KAFKA_BROKERS"), "acks", "all", "enable.idempotence", true, "linger.ms", 5, "compression.type", "gzip");
    try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      List<Future<RecordMetadata>> answers = new ArrayList<>();
      for (var nth = 0; nth < count; nth++) {
        // The id comes from what happened, and not from the moment of sending.
        var call = new Call("call-" + nth, Instant.parse("2023-11-16T18:00:00Z").plusSeconds(nth), 1 + nth % 10);
        answers.add(producer.send(recordOf(topic, type, subject, call, key)));
      }
      // A record is on its way until its answer is there.
      for (var answer : answers) answer.get();
    }
    System.out.println(count + " events sent");
  }
}
