interface Settable {
  set(own: number): void;
}

/** Makes it look as if so much were under way. */
export function setCounts<Name extends string>(
  counts: Readonly<Record<NoInfer<Name>, Settable>>,
  values: Readonly<Record<Name, number>>,
): void {
  for (const name of Object.keys(values) as Name[]) counts[name].set(values[name]);
}
