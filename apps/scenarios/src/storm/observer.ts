import { SERVICES, type ServiceName } from '@valueverse/contracts';
import type { World } from './world';

/**
 * Watches the checkpoints from inside the databases: a trigger notes every one that moves back, and every one that is moved by another process than the
 * one that holds it. Nothing in the services knows of it.
 */
export const observeCheckpoints = async (world: World): Promise<void> => {
  for (const service of SERVICES) {
    await world.onPostgres(async (client) => {
      const schema = client.escapeIdentifier(service);
      await client.query(`CREATE TABLE public.wrong_moves (mover text, owner text, consumer text, topic text, partition int, epoch bigint, before bigint, after bigint);
        GRANT INSERT ON public.wrong_moves TO PUBLIC;
        GRANT USAGE ON SCHEMA public TO PUBLIC;
        CREATE FUNCTION public.note_move() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.next_offset < OLD.next_offset OR split_part(OLD.owner, '/', 2) <> split_part(split_part(current_setting('application_name'), ' ', 3), '@', 1) THEN
            INSERT INTO public.wrong_moves VALUES (current_setting('application_name'), OLD.owner, NEW.consumer, NEW.topic, NEW.partition, NEW.epoch, OLD.next_offset, NEW.next_offset);
          END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER note_move AFTER UPDATE ON `.concat(schema, `.checkpoints FOR EACH ROW WHEN (NEW.next_offset <> OLD.next_offset) EXECUTE FUNCTION public.note_move()`));
    }, world.databaseUrl(service));
  }
};

/** A checkpoint that was moved back, or by a process that no longer had its partition: what lies between is done twice, or passed over. */
export const wrongMoves = (world: World, service: ServiceName): Promise<string[]> => world.onPostgres(async (client) => {
  const { rows } = await client.query<{ consumer: string; topic: string; partition: number; before: string; after: string; mover: string; owner: string }>('SELECT * FROM public.wrong_moves LIMIT 1');
  const { rows: [count] } = await client.query<{ moves: string }>('SELECT count(*) AS moves FROM public.wrong_moves');
  return rows.map(({ consumer, topic, partition, before, after, mover, owner }) => `${count!.moves} checkpoints of ${service} were moved wrongly, as ${consumer} at ${topic}/${partition} from ${before} to ${after} by ${mover}; ${owner} has it`);
}, world.databaseUrl(service));
