/** A provider that only keeps the record: cash, a cheque, a transfer seen on a statement. Nothing is asked of it, and what goes back goes by hand too. */
export const MANUAL = 'manual';
