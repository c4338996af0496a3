import { Free, OneOf, Text, Whole } from '@valueverse/platform';
import { DELIMITERS, type Delimiter } from './domain/csv-cells';
import { FORMATS, type FileFormat } from './import-table';
import { IMPORT_BYTES_MAX } from './receive';

const NAME_LENGTH_MAX = 256;
const MAPPING_LENGTH_MAX = 20_000;
const SHA256_LENGTH = 64;
export const DELIMITER_NAMES = Object.keys(DELIMITERS) as Delimiter[];

/** A file that will come in chunks. */
export class AnnounceImportDto {
  @OneOf(FORMATS) format!: FileFormat;
  @Text({ optional: true, max: NAME_LENGTH_MAX }) name?: string;
  @OneOf(DELIMITER_NAMES, { optional: true }) delimiter?: Delimiter;
  @Free({ optional: true }) mapping?: unknown;
  @Whole({ optional: true, min: 1, max: IMPORT_BYTES_MAX }) size?: number;
  @Text({ optional: true, min: SHA256_LENGTH, max: SHA256_LENGTH }) sha256?: string;
}
/** What is said beside a file that comes whole. */
export class FileQuery {
  @Text({ optional: true, max: NAME_LENGTH_MAX }) name?: string;
  @OneOf(DELIMITER_NAMES, { optional: true }) delimiter?: Delimiter;
  @Text({ optional: true, max: MAPPING_LENGTH_MAX }) mapping?: string;
}
export class ChunkQuery {
  @Whole({ min: 0, max: IMPORT_BYTES_MAX, fromText: true }) offset!: number;
}
export class CompleteImportDto {
  @Whole({ optional: true, min: 1, max: IMPORT_BYTES_MAX, description: 'How many bytes the file has' }) size?: number;
  @Text({ optional: true, min: SHA256_LENGTH, max: SHA256_LENGTH, description: 'SHA-256 of the file, in hex: another file is not read' }) sha256?: string;
}
