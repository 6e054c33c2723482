/**
 * A configuration of which only the parts that are right are there. Lists keep their places, so that a path into
 * the draft is a path into the file.
 */
export type Draft<T> = T extends readonly (infer Item)[]
  ? readonly (Draft<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
    : T;
