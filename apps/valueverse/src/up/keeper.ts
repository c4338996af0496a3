import type { PartProcess } from '@valueverse/platform';
import { markOf, type PartNote } from './state';

/** A part that is to run until it is taken down. */
export interface KeptPart {
  readonly name: string;
  readonly log: string;
  readonly url?: string;
  /** Starts it and returns when it is ready. */
  readonly start: () => Promise<Pick<PartProcess, 'pid' | 'whenEnded' | 'stop'>>;
}

const PAUSE_MS_FIRST = 500;
const PAUSE_MS_MAX = 30_000;
/** After this long without an end the next one is waited for as shortly as the first. */
const SETTLED_MS = 60_000;

/** Keeps parts running: one that ends by itself is started again, after a pause that grows while it keeps ending. */
export class Keeper {
  private readonly kept: { part: KeptPart; running: Awaited<ReturnType<KeptPart['start']>> | undefined; note: PartNote }[] = [];
  private isStopping = false;
  private readonly pauses = new Set<() => void>();

  constructor(private readonly say: (line: string) => void, private readonly changed: () => void) {}

  get notes(): readonly PartNote[] { return this.kept.map(({ note }) => note); }

  /** Starts a part and keeps it. A part that does not start at all is an error. */
  async keep(part: KeptPart): Promise<void> {
    const running = await part.start();
    const entry = { part, running, note: noteOf(part, running.pid, 0) };
    this.kept.push(entry);
    this.changed();
    void this.watch(entry);
  }

  /** Ends all parts, the last ones that were started first; those of one `group` at the same time. */
  async stop(groups: readonly ((name: string) => boolean)[]): Promise<void> {
    this.isStopping = true;
    this.pauses.forEach((end) => end());
    for (const isIn of groups) {
      await Promise.all(this.kept.filter(({ note }) => isIn(note.name)).map(async ({ running, note }) => {
        await running?.stop();
        this.say(`${note.name} is down`);
      }));
    }
  }

  private async watch(entry: (typeof this.kept)[number]): Promise<void> {
    let pauseMs = PAUSE_MS_FIRST;
    while (!this.isStopping) {
      const began = performance.now();
      const how = await entry.running?.whenEnded;
      if (this.isStopping) return;
      if (performance.now() - began > SETTLED_MS) pauseMs = PAUSE_MS_FIRST;
      this.say(`${entry.part.name} ${how ?? 'did not start'}; it is started again in ${pauseMs / 1_000} s`);
      await this.rest(pauseMs);
      pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
      if (this.isStopping) return;
      await this.again(entry);
    }
  }

  private async again(entry: (typeof this.kept)[number]): Promise<void> {
    entry.running = undefined;
    try {
      const running = await entry.part.start();
      entry.running = running;
      entry.note = noteOf(entry.part, running.pid, entry.note.restarts + 1);
      this.say(`${entry.part.name} is up again`);
      this.changed();
      if (this.isStopping) await running.stop();
    } catch (error) {
      this.say(`${entry.part.name} could not be started: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => { clearTimeout(timer); this.pauses.delete(end); resolve(); };
      const timer = setTimeout(end, milliseconds);
      this.pauses.add(end);
    });
  }
}

const noteOf = ({ name, log, url }: KeptPart, pid: number, restarts: number): PartNote => ({ name, log, ...(url === undefined ? {} : { url }), ...markOf(pid), restarts });
