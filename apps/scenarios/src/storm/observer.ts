import { SERVICES, type ServiceName } from '@valueverse/contracts';
import type { World } from './world';

/** Watches the checkpoints from inside the databases: a trigger notes every one that moves back. Nothing in the services knows of it. */
export const observeCheckpoints = async (world: World): Promise<void> => {
  for (const service of SERVICES) {
    await world.onPostgres(async (client) => {
      const schema = client.escapeIdentifier(service);
      await client.query(`CREATE TABLE public.moved_back (consumer text, topic text, partition int, epoch bigint, before bigint, after bigint);
        GRANT INSERT ON public.moved_back TO PUBLIC;
        GRANT USAGE ON SCHEMA public TO PUBLIC;
        CREATE FUNCTION public.note_move() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO public.moved_back VALUES (NEW.consumer, NEW.topic, NEW.partition, NEW.epoch, OLD.next_offset, NEW.next_offset);
          RETURN NEW;
        END $$;
        CREATE TRIGGER note_move AFTER UPDATE ON `.concat(schema, `.checkpoints FOR EACH ROW WHEN (NEW.next_offset < OLD.next_offset) EXECUTE FUNCTION public.note_move()`));
    }, world.databaseUrl(service));
  }
};

/** A checkpoint that moved back was moved by a process that no longer had its partition: what lies between is done twice. */
export const checkpointMovesBack = (world: World, service: ServiceName): Promise<string[]> => world.onPostgres(async (client) => {
  const { rows } = await client.query<{ consumer: string; topic: string; partition: number; before: string; after: string }>('SELECT * FROM public.moved_back LIMIT 1');
  const { rows: [count] } = await client.query<{ moves: string }>('SELECT count(*) AS moves FROM public.moved_back');
  return rows.map(({ consumer, topic, partition, before, after }) => `${count!.moves} checkpoints of ${service} moved back, as ${consumer} at ${topic}/${partition} from ${before} to ${after}`);
}, world.databaseUrl(service));
