// Sending pictures to be segmented: in as many requests as the server's limits ask for.

import { at, patiently, upload } from "./api.js";
import { nameOf, sizeText } from "./pictures.js";

export const TRIES = 5;
/** What a form adds to a file: boundary and headers, beside its name; and to all files. */
const [FILE_BYTES, FORM_BYTES] = [400, 65_536];
const LONGEST_ESCAPE = 3; // of a character in a file's name

/**
 * Divide pictures into requests.
 * @param {File[]} files
 * @param {{images: number, body_bytes: number}} limits of a request
 * @returns {{batches: {files: File[], key: string}[], refused: Map<File, string>}} key: under which sending a batch
 *   again makes no second job; refused: pictures that fit into no request, and why
 */
export function divide(files, { images, body_bytes: most }) {
  const refused = new Map();
  const batches = [];
  const overhead = Math.min(FORM_BYTES, most / 4);
  const group = randomKey();
  let room = 0;
  for (const file of files) {
    const size = file.size + FILE_BYTES + LONGEST_ESCAPE * new TextEncoder().encode(nameOf(file)).length;
    if (size > most - overhead) {
      refused.set(file, `${nameOf(file)} has ${sizeText(file.size)}; this server takes at most ${sizeText(most)} at once`);
      continue;
    }
    if (size > room || batches.at(-1).files.length >= images) {
      batches.push({ files: [], key: `page-${group}.${batches.length + 1}` });
      room = most - overhead;
    }
    batches.at(-1).files.push(file);
    room -= size;
  }
  return { batches, refused };
}

/**
 * Return the group in which a job was sent and its number there, from 1, by the key of its request: null for a job that
 * was not sent by ``divide``. A server puts a client's own name before the key.
 * @param {{idempotency_key: string | null}} job
 * @returns {{group: string, number: number} | null}
 */
export function placeInGroup({ idempotency_key: key }) {
  const [, group, number] = /(?:^|:)page-([0-9a-f]{32})\.(\d+)$/.exec(key ?? "") ?? [];
  return group ? { group, number: Number(number) } : null;
}

/** Return a key that nobody else has; browsers have randomUUID at addresses with https only. */
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Send a batch; several times if the server does not answer.
 * @param {{files: File[], key: string}} batch
 * @param {string} request the fields, as JSON
 * @param {{onProgress: (share: number) => void, onWait: () => void}} options
 * @returns {Promise<{job: string | null, files: File[], refused: Map<File, string>}>} files: those that were accepted;
 *   job: null where none was
 */
export async function sendBatch({ files, key }, request, { onProgress, onWait }) {
  const form = new FormData();
  form.append("request", request);
  for (const file of files) form.append("image", file, nameOf(file));
  const send = () => upload(at(["v1", "segmentations"]), form, onProgress, { "Idempotency-Key": key });
  const allRefused = (error) => {
    if (!error.leftOut?.length) throw error;
    return { job: null, left_out: error.leftOut };
  };
  const { job, left_out: left } = await patiently(send, { times: TRIES, onWait }).catch(allRefused);
  const refused = new Map(left.map(({ number, error }) => [files[number - 1], error]));
  return { job, files: files.filter((file) => !refused.has(file)), refused };
}
