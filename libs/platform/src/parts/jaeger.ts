import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-ports';
import { answers, fetchOnce, partCache } from './part-cache';
import { startPart, type PartProcess } from './part-process';

/** Where a Jaeger is on this machine, or why there is none. */
export type JaegerFound = { readonly how: 'program'; readonly program: string } | { readonly how: 'none'; readonly reason: string };

/** A Jaeger that keeps traces in memory. */
export interface Jaeger {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`, over HTTP. */
  readonly otlpUrl: string;
  /** Its query API and page. */
  readonly url: string;
  readonly process: PartProcess;
}

const VERSION = '1.76.0';
const MODULE = `github.com/jaegertracing/jaeger@v${VERSION}`;
const BUILD_TIMEOUT_MS = 1_200_000;
const OWNER_WRITES = 0o755;
const home = (): string => partCache(`jaeger-${VERSION}`);

/** The one that `buildJaeger` left in the cache. Nothing is fetched here: building takes minutes. */
export function findJaeger(): JaegerFound {
  const program = join(home(), 'jaeger');
  return existsSync(program) ? { how: 'program', program } : { how: 'none', reason: 'no Jaeger in the cache; where Go is, `node tools/jaeger.mjs` builds one in some minutes' };
}

/** Builds Jaeger from its Go module, once for this machine. It has the query API; the page needs the released images. */
export function buildJaeger(): JaegerFound {
  if (!answers('go', ['version'])) return { how: 'none', reason: 'Go is not installed' };
  const built = fetchOnce(home(), (folder) => {
    const { status, stdout } = spawnSync('go', ['mod', 'download', '-json', MODULE], { cwd: folder, encoding: 'utf8', timeout: BUILD_TIMEOUT_MS });
    if (status !== 0) return false;
    // Its dependencies are replaced in part, so it is built in a copy of its own, which the module cache does not let anybody write.
    const source = join(folder, 'source');
    cpSync((JSON.parse(stdout) as { Dir: string }).Dir, source, { recursive: true });
    for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) chmodSync(join(entry.parentPath, entry.name), OWNER_WRITES);
    const build = spawnSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', join(folder, 'jaeger'), './cmd/jaeger'], { cwd: source, stdio: 'inherit', timeout: BUILD_TIMEOUT_MS });
    rmSync(source, { recursive: true, force: true });
    return build.status === 0;
  });
  return built ? findJaeger() : { how: 'none', reason: `${MODULE} could not be built` };
}

/** Starts a Jaeger on 127.0.0.1 and returns when it answers. */
export async function startJaeger({ program, folder, ports = {} }: { program: string; folder: string; ports?: { readonly otlp?: number; readonly query?: number } }): Promise<Jaeger> {
  mkdirSync(folder, { recursive: true });
  const [otlp, query, queryGrpc] = [ports.otlp ?? await freePort(), ports.query ?? await freePort(), await freePort()];
  const config = join(folder, 'jaeger.yaml');
  writeFileSync(config, configOf(otlp, query, queryGrpc));
  const url = `http://127.0.0.1:${query}`;
  const process = await startPart({
    name: 'Jaeger', command: program, args: ['--config', config], logFile: join(folder, 'jaeger.log'),
    // It would trace itself.
    env: { PATH: globalThis.process.env['PATH'] ?? '', HOME: folder, OTEL_TRACES_SAMPLER: 'always_off' },
    isReady: () => fetch(`${url}/api/services`).then(({ ok }) => ok, () => false),
  });
  return { otlpUrl: `http://127.0.0.1:${otlp}`, url, process };
}

const configOf = (otlp: number, query: number, queryGrpc: number): string => `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: { receivers: [otlp], processors: [], exporters: [jaeger_storage_exporter] }
  telemetry:
    metrics: { level: none }
    logs: { level: warn }
extensions:
  jaeger_storage:
    backends: { kept: { memory: { max_traces: 100000 } } }
  jaeger_query:
    storage: { traces: kept }
    http: { endpoint: "127.0.0.1:${query}" }
    grpc: { endpoint: "127.0.0.1:${queryGrpc}" }
receivers:
  otlp: { protocols: { http: { endpoint: "127.0.0.1:${otlp}" } } }
exporters:
  jaeger_storage_exporter: { trace_storage: kept }
`;
