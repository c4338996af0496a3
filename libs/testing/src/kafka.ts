import { askForPart } from './ask-for-part';
import { noteNotRun } from './not-run';

/** The broker of this run, or the reason why there is none on this machine. */
export type KafkaForTests =
  | { readonly available: true; readonly brokers: readonly string[] }
  | { readonly available: false; readonly reason: string };

const START_TIMEOUT_MS = 180_000;

/**
 * A real Kafka: `KAFKA_BROKERS`, else a broker on local Java, else one in Docker; started for the first spec that asks.
 * Throws when one was found and does not start: that is a fault, not an absence.
 */
export async function kafkaForTests(): Promise<KafkaForTests> {
  const reason = process.env['VV_TEST_KAFKA'];
  if (reason) return { available: false, reason };
  const { brokers } = await askForPart<{ brokers: string[] }>('/kafka');
  return { available: true, brokers };
}

/**
 * `describe` for specs that need a broker; `brokers()` is known inside tests. Where there is no Kafka one test takes
 * their place that says so, and the run counts the group as not run.
 */
export function describeOnKafka(name: string, specs: (brokers: () => readonly string[]) => void): void {
  const reason = process.env['VV_TEST_KAFKA'];
  describe(name, () => {
    if (reason) {
      test('is not run on this machine', () => noteNotRun(name, reason));
      return;
    }
    let known: readonly string[] = [];
    beforeAll(async () => {
      const kafka = await kafkaForTests();
      if (kafka.available) known = kafka.brokers;
    }, START_TIMEOUT_MS);
    specs(() => known);
  });
}
