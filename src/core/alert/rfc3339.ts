/**
 * A time in UTC as Falco writes it: without zeros at the end, on a day that every month has. Such a text is valid, and in
 * its final form: nothing has to be taken apart.
 */
export const CANONICAL_UTC =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{0,8}[1-9])?Z$/;
