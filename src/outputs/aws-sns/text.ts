/** What SNS takes of texts. */

// Message and attributes together may have 256 KiB: docs.aws.amazon.com/sns/latest/api/API_Publish.html.
export const MAX_MESSAGE = 128 * 1024;
export const MAX_ATTRIBUTES = 100 * 1024;

/** What no text of SNS may hold: all but the characters of XML 1.0. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
