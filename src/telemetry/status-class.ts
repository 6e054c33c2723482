/** First digit of a status with the label for it. */
export const STATUS_CLASSES: readonly (readonly [digit: number, label: string])[] = [
  [1, '1xx'],
  [2, '2xx'],
  [3, '3xx'],
  [4, '4xx'],
  [5, '5xx'],
];
