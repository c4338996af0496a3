import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One request to a language-model service, as a CloudEvent of usage. */
export interface UsageEvent {
  readonly specversion: '1.0'; readonly id: string; readonly source: 'gateway'; readonly type: 'llm.completion'; readonly subject: string; readonly time: string;
  readonly data: { readonly promptTokens: number; readonly completionTokens: number; readonly model: string };
}

const FOLDER = join(__dirname, '..', '..', 'data', 'azure-llm-inference-2023');
const MODELS = ['conversation', 'code'] as const;

/** "2023-11-16 18:15:46.6805900" -> RFC 3339; the source has 100 ns, we keep what it says and metering floors it. */
const timeOf = (text: string): string => `${text.replace(' ', 'T')}Z`;

/** The hour of traffic that the demo bills: every request of both services, sent for one subject. */
export const traffic = (subject: string): UsageEvent[] => MODELS.flatMap((model) => {
  const rows = readFileSync(join(FOLDER, `${model}.csv`), 'utf8').split(/\r?\n/).slice(1).filter((row) => row !== '');
  return rows.map((row, index): UsageEvent => {
    const [time, promptTokens, completionTokens] = row.split(',') as [string, string, string];
    return { specversion: '1.0', id: `${model}-${index + 1}`, source: 'gateway', type: 'llm.completion', subject, time: timeOf(time), data: { promptTokens: Number(promptTokens), completionTokens: Number(completionTokens), model } };
  });
});
