export * from './clock';
export * from './currency';
export { CURRENCY_TABLE_DATE } from './currency-table';
export * from './decider';
export * from './decimal';
export * from './ids';
export * from './instant';
export * from './money';
export * from './partition';
export * from './period';
export * from './rounding';
export * from './text';
export {
  addLocalDays, assertZone, daysBetween, instantOfLocal, localDateOf, localMidnightOf, localOf, startOfLocalDate,
  type LocalDate, type LocalDateTime,
} from './zone';
