import type { Service } from '@valueverse/platform';
import type { PaymentProvider } from '../provider';
import { ManualProvider } from './manual-provider';

/** Money that nobody is asked for: cash, a cheque, a transfer seen on a statement. What goes back goes by hand too. */
export const MANUAL = 'manual';

/** The adapter of what people enter. */
export const manualProvider = ({ database }: Pick<Service, 'database'>): PaymentProvider => new ManualProvider(MANUAL, database);
