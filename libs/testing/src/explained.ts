/** What `EXPLAIN (ANALYZE, FORMAT JSON)` answers. */
export interface Explained { readonly 'QUERY PLAN': readonly [{ readonly Plan: Plan }] }
interface Plan { readonly 'Node Type': string; readonly 'Actual Rows': number; readonly 'Actual Loops': number; readonly 'Rows Removed by Filter'?: number; readonly Plans?: readonly Plan[] }

/** Scans of what a query has made itself. */
const MADE = ['Function Scan', 'Subquery Scan'];
const readBy = (plan: Plan): number => (plan['Node Type'].includes('Scan') && !MADE.includes(plan['Node Type']) ? (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops'] : 0)
  + (plan.Plans ?? []).reduce((sum, one) => sum + readBy(one), 0);

/** How many rows a query read of tables, and how many it answered. */
export const rowsOf = ({ 'QUERY PLAN': [{ Plan: plan }] }: Explained): { readonly read: number; readonly answered: number } => ({ read: readBy(plan), answered: plan['Actual Rows'] });
