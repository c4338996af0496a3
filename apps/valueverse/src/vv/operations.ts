import { SERVICES, type ServiceName } from '@valueverse/contracts';
import { ApiError, Unreachable } from '../http/api-client';
import { findingsIn, reconciled } from './doctor-usage';
import { Missing, type Session } from './session';

interface Health { readonly status: string; readonly info?: Record<string, unknown>; readonly error?: Record<string, unknown>; readonly details?: Record<string, { status: string; reason?: string }> }
export interface Finding { readonly check: string; readonly ok: boolean; readonly detail: string; readonly next?: string }

const NODE_MAJOR_MIN = 20;

const health = async (url: string, path: string): Promise<{ code: number; body: Health }> => {
  try {
    const response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(5_000) });
    return { code: response.status, body: await response.json() as Health };
  } catch (error) {
    throw new Unreachable(url, error);
  }
};

/** What the installation says of itself. */
export const status = async (session: Session): Promise<Record<string, unknown>> => {
  const { code, body } = await health(session.url, '/health');
  return { url: session.url, ...(session.dataFolder === undefined ? {} : { dataDir: session.dataFolder }), ready: code === 200, checks: body };
};

/** Looks for what is wrong, and names the next command for each finding. */
export const doctor = async (session: Session): Promise<Finding[]> => {
  const findings: Finding[] = [];
  const major = Number(process.versions.node.split('.')[0]);
  findings.push({ check: 'node', ok: major >= NODE_MAJOR_MIN, detail: `Node ${process.versions.node}`, ...(major >= NODE_MAJOR_MIN ? {} : { next: 'install Node 20 or newer, then npm ci' }) });
  try {
    const { code, body } = await health(session.url, '/health/ready');
    findings.push({ check: 'reachable', ok: true, detail: session.url });
    const details = body.details ?? {};
    for (const [check, { status: state, reason }] of Object.entries(details)) {
      // A part may be fit for work and say all the same that somebody has to look.
      const isWell = state === 'up' && reason === undefined;
      findings.push({ check, ok: isWell, detail: reason ?? state, ...(isWell ? {} : { next: 'look at the log of the service; for a stopped reader see docs/ARCHITECTURE.md, "When a reader stops"' }) });
    }
    if (code !== 200 && Object.keys(details).length === 0) findings.push({ check: 'ready', ok: false, detail: `answered ${code}`, next: 'wait for the start to end, or look at the log' });
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    findings.push({ check: 'reachable', ok: false, detail: error.message, next: 'npm start' });
    return findings;
  }
  const token = await credentials(session);
  findings.push(token);
  if (token.ok) for (const service of SERVICES) findings.push(...await insideOf(session, service));
  return findings;
};

/** What a service finds when it looks at itself; one that does not answer is a finding. */
const insideOf = async (session: Session, service: ServiceName): Promise<Finding[]> => {
  try {
    const { data } = await session.operator().get<{ data: readonly Finding[] }>(`/api/v1/operator/log/${service}/checks`);
    return data.map((finding) => ({ ...finding, check: `${service} ${finding.check}` }));
  } catch (error) {
    return [{ check: `${service} service`, ok: false, detail: (error as Error).message, next: `start a process of ${service}, or look at its log` }];
  }
};

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;
const METERING = 'metering-partitions';

/**
 * Whether metering gets on, where the caller may know that, and where the usage of a tenant ended that was received in a period. Buckets are compared by whole quarters of an hour, so a period
 * ends with the one that we are in.
 */
export const doctorOfUsage = async (session: Session, { from, to = new Date(Math.ceil(Date.now() / QUARTER_MS) * QUARTER_MS).toISOString() }: { readonly from?: string; readonly to?: string }): Promise<Finding[]> => {
  const period = { from: from ?? new Date(Date.parse(to) - DAY_MS).toISOString(), to };
  const found = findingsIn(await reconciled(session.tenant(), period));
  return [...await meteringOf(session), { check: 'usage period', ok: true, detail: `received from ${period.from} to ${period.to}` }, ...found];
};

const meteringOf = async (session: Session): Promise<Finding[]> => {
  try {
    session.operator();
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return [{ check: `usage ${METERING}`, ok: true, detail: 'not looked at: that takes an operator token' }];
  }
  return (await insideOf(session, 'usage')).filter(({ check, ok }) => check === `usage ${METERING}` || (check === 'usage service' && !ok));
};

const credentials = async (session: Session): Promise<Finding> => {
  try {
    await session.operator().get('/api/v1/operator/organizations');
    return { check: 'operator token', ok: true, detail: 'accepted' };
  } catch (error) {
    const detail = error instanceof ApiError ? error.message : (error as Error).message;
    return { check: 'operator token', ok: false, detail, next: 'give --operator-token or VV_OPERATOR_TOKEN of this installation' };
  }
};
