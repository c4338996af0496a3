export { oracleElapsed, oracleFee, type OracleGranularity, type OraclePeriod } from './oracle-fees';
export { oracleInvoice, type OracleInvoiceQuestion } from './oracle-invoice';
export { oracleLife, type OracleLife, type OracleLifePlan, type OracleState } from './oracle-life';
export { oraclePlan, oraclePlanLines, type OraclePlanQuestion } from './oracle-plan';
export { looksAtEvents, type OracleEvent, oraclePrice, type OraclePrice } from './oracle-prices';
export { type OracleCharge, type OracleGroup, type OracleLine, oracleUsage, type OracleUsageQuestion } from './oracle-usage';
export { ratio as oracleRatio, read as readRatio, type OracleRounding, type Ratio } from './ratio';
