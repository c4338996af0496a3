import { dispatch, type Decider } from '@valueverse/kernel';
import { defineEvent, object, text, whole, type EventOf } from '@valueverse/contracts';
import type { DeciderDefinition } from '../execute/execute';
import type { ReadModel } from '../project/read-model';

// A small domain to test the log with: parcels that are scanned again and again.
export const PARCEL_EVENTS = [
  defineEvent({ name: 'ParcelScanned', topic: 'billing.plans', fact: 'parcel.scanned', data: object({ parcelId: text(), scan: whole() }) }),
] as const;
export type ParcelScanned = EventOf<(typeof PARCEL_EVENTS)[0]>;
export interface ScanParcel { readonly type: 'ScanParcel'; readonly parcelId: string }

const decider: Decider<ScanParcel, ParcelScanned, { scans: number }> = {
  initial: { scans: 0 },
  decide: dispatch<ScanParcel, { scans: number }, readonly ParcelScanned[]>({
    ScanParcel: ({ parcelId }, { scans }) => [{ type: 'ParcelScanned', parcelId, scan: scans + 1 }],
  }),
  evolve: dispatch<ParcelScanned, { scans: number }, { scans: number }>({ ParcelScanned: ({ scan }) => ({ scans: scan }) }),
};

export const parcelView: ReadModel<ParcelScanned, { parcelId: string; scans: number }> = {
  table: 'parcels', version: 1, key: ({ parcelId }) => parcelId, initial: { parcelId: '', scans: 0 },
  on: { ParcelScanned: ({ parcelId, scan }) => ({ parcelId, scans: scan }) }, sortBy: ({ parcelId }) => parcelId,
};

export const parcel: DeciderDefinition<ScanParcel, ParcelScanned, { scans: number }> = {
  name: 'parcel', decider, stream: ({ parcelId }) => `parcel-${parcelId}`, views: [parcelView],
};
export const scan = (parcelId: string): ScanParcel => ({ type: 'ScanParcel', parcelId });

/** Rows that fold the facts of many streams: how many scans there were of all parcels whose names begin alike. */
export const scansByLetter: ReadModel<ParcelScanned, { letter: string; scans: number }> = {
  table: 'scans_by_letter', version: 1, key: ({ parcelId }) => parcelId.slice(0, 1), initial: { letter: '', scans: 0 },
  on: { ParcelScanned: ({ parcelId }, { scans }) => ({ letter: parcelId.slice(0, 1), scans: scans + 1 }) }, sortBy: ({ letter }) => letter,
};
