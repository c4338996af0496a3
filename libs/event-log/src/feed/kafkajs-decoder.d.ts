declare module 'kafkajs/src/protocol/decoder' {
  /** Reads what a broker sends. */
  export default class Decoder {
    readVarIntArray<T>(read: (decoder: Decoder) => T): T[];
  }
}
