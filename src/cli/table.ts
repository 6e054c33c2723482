import { styled } from './terminal.ts';

export type Style = Parameters<typeof styled>[0];

/** One line of a table. */
export interface Row {
  readonly cells: readonly string[];
  /** Of its first two cells. */
  readonly style: Style | undefined;
}

/** Rows with aligned columns; the last `figures` of them are numbers. */
export function table(rows: readonly Row[], figures: number, color: boolean): string[] {
  const columns = rows[0]!.cells;
  const widths = columns.map((_, column) => Math.max(...rows.map(({ cells }) => cells[column]!.length)));
  return rows.map(({ cells, style }) => {
    const padded = cells.map((cell, column) =>
      column < columns.length - figures ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
    );
    // Only the name and the state have colour, so that a long reason stays readable.
    const front = padded.slice(0, 2).join('  ');
    const back = padded.slice(2).join('  ');
    return `${style === undefined ? front : styled(style, front, color)}  ${back}`.trimEnd();
  });
}
