/** Why a header block cannot be decoded: the connection is lost with it (RFC 9113 section 4.3, COMPRESSION_ERROR). */
export type HpackError =
  | 'truncated'
  | 'integer_too_large'
  | 'index_unknown'
  | 'huffman_invalid'
  | 'size_update_late'
  | 'size_update_too_large';

/** Takes the fields of a block in their order. */
export interface HeaderSink {
  /**
   * One field; the positions lie in `decoder.lines`, where it is written as `name: value` and CRLF. `kind` is an id of `Known`
   * or one of `HeaderKind`. `neverIndexed`: it must be sent on as a literal that is never indexed (RFC 7541 section 6.2.3).
   * @returns whether the line stays in `lines`, behind the ones before; else the next one is written over it.
   */
  onHeader(
    kind: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    neverIndexed: boolean,
  ): boolean;
}
