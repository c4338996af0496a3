import type { ListedEvent } from './listed-events';

export interface TailFilter { readonly subject?: string | undefined; readonly type?: string | undefined }

/** What waits for a slow client; what comes beyond is dropped, and said to be. */
export const WAITING_EVENTS_MAX = 1_000;
const WAITING_CHARACTERS_MAX = 1_000_000;
const HEARTBEAT_MS = 15_000;
/** How often it is asked whether the credential still holds. */
const CHECK_EVERY_MS = 2_000;

const frame = (event: string | undefined, data: unknown, id?: string): string => `${event === undefined ? '' : `event: ${event}\n`}${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

/** One client of a stream (server-sent events, HTML Living Standard, section 9.2): what it asked for, and what it has not taken yet. */
export class Listener {
  private readonly waiting: string[] = [];
  private characters = 0;
  private dropped = 0;
  private isBehind = false;
  private hasBegun = false;
  private ending: { readonly code: string; readonly detail: string } | undefined;
  private rouse: () => void = () => undefined;

  constructor(private readonly filter: TailFilter) {}

  wants({ subject, type }: { readonly subject: string; readonly type: string }): boolean {
    return (this.filter.subject === undefined || this.filter.subject === subject) && (this.filter.type === undefined || this.filter.type === type);
  }
  /** From here on nothing is missed. */
  begin(): void {
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.rouse();
  }
  tell(event: ListedEvent): void {
    const { partition, position, index } = event.place;
    const text = frame(undefined, event, `${partition}-${position}-${index}`);
    if (this.waiting.length >= WAITING_EVENTS_MAX || this.characters + text.length > WAITING_CHARACTERS_MAX) this.dropped++;
    else {
      this.waiting.push(text);
      this.characters += text.length;
    }
    this.rouse();
  }
  /** More came than could be looked at: some were passed over, nobody counted them. */
  passedOver(): void {
    this.isBehind = true;
    this.rouse();
  }
  end(code: string, detail: string): void {
    this.ending ??= { code, detail };
    this.rouse();
  }

  /**
   * The text of the stream until it ends. `check` answers with a reason when the credential no longer holds. `nowMs` only has to grow.
   */
  async *frames(check: () => Promise<{ code: string; detail: string } | undefined>, nowMs: () => number = () => performance.now()): AsyncGenerator<string> {
    let [spokeAt, checkedAt, saidReady] = [nowMs(), nowMs(), false];
    while (this.ending === undefined) {
      if (!saidReady && this.hasBegun) {
        saidReady = true;
        yield frame('ready', {});
      }
      const text = this.take();
      if (text !== '') { spokeAt = nowMs(); yield text; }
      if (nowMs() - spokeAt >= HEARTBEAT_MS) { spokeAt = nowMs(); yield ': heartbeat\n\n'; }
      if (nowMs() - checkedAt >= CHECK_EVERY_MS) {
        checkedAt = nowMs();
        const reason = await check();
        if (reason !== undefined) this.end(reason.code, reason.detail);
      }
      if (this.waiting.length === 0 && this.ending === undefined && (saidReady || !this.hasBegun)) await this.rest();
    }
    // What still waits is not for who may not read any more.
    yield frame('end', this.ending);
  }

  private take(): string {
    const texts = this.waiting.splice(0);
    this.characters = 0;
    if (this.dropped > 0) texts.push(frame('dropped', { events: this.dropped, reason: 'slow' }));
    if (this.isBehind) texts.push(frame('dropped', { events: null, reason: 'behind' }));
    [this.dropped, this.isBehind] = [0, false];
    return texts.join('');
  }

  private async rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CHECK_EVERY_MS);
      this.rouse = () => { clearTimeout(timer); resolve(); };
    });
    this.rouse = () => undefined;
  }
}
