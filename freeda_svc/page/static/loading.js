// Loading what is shown of a result: the picture, its labels, its scores; no larger than they are shown.

import { getBlob, getBytes, patiently } from "./api.js";
import { labelsOf, MaskViewer, MOST_SIDE } from "./viewer.js";

const KEPT = 8;
const THUMBNAIL = 320;
const THUMBNAILS_AT_ONCE = 2;
const TRIES = 4;

let decoder = null;
let asked = 0;
const waiting = new Map();

/**
 * Decode a PNG of labels or scores, as ``decodePng`` does, in a thread of its own.
 * @param {ArrayBuffer} content of the file; it is empty afterwards
 * @param {number} longest pixels are left out until no side is longer
 */
export function decode(content, longest = Infinity) {
  decoder ??= startDecoder();
  const number = (asked += 1);
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    decoder.postMessage({ number, content, longest }, [content]);
  });
}

function startDecoder() {
  const worker = new Worker(new URL("./decoder.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data: { number, image, wrong } }) => {
    const { resolve, reject } = waiting.get(number);
    waiting.delete(number);
    if (image) resolve(image);
    else reject(new Error(wrong));
  });
  worker.addEventListener("error", () => {
    for (const { reject } of waiting.values()) reject(new Error("masks cannot be decoded: the browser has stopped the page's worker"));
    waiting.clear();
    decoder = null;
  });
  return worker;
}

/**
 * Return a file as a picture, scaled down so that no side is longer than that; null where the browser cannot read it.
 * @param {Blob} file
 * @param {{width: number, height: number}} size of the picture when it is upright
 * @param {number} longest in pixels
 */
export async function pictureOf(file, { width, height }, longest = MOST_SIDE) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const [resizeWidth, resizeHeight] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  try {
    return await createImageBitmap(file, scale < 1 ? { resizeWidth, resizeHeight, resizeQuality: "medium" } : {});
  } catch {
    return null;
  }
}

/** Return the picture of a result, from the file that was chosen, or from the server; null where it is gone. */
async function loadPicture({ file, files, summary: { image } }, longest) {
  const fetched = (path) => patiently(() => getBlob(path), { times: TRIES }).then((blob) => pictureOf(blob, image, longest), () => null);
  const chosen = file ? await pictureOf(file, image, longest) : await fetched(files.image);
  return chosen ?? fetched(`${files.image}.png`); // TIFF, HEIC and so on, as PNG
}

async function load(item, longest, longestLabels) {
  const [picture, mask] = await Promise.all([
    loadPicture(item, longest),
    patiently(() => getBytes(item.files.mask), { times: TRIES }).then((content) => decode(content, longestLabels)),
  ]);
  return { picture, labels: labelsOf(mask, item.summary.categories.length) };
}

/** The last few pictures that were shown large, with their labels. */
export class LoadedPictures {
  #loaded = new Map();

  /** @returns {Promise<{picture: ImageBitmap | null, labels: ReturnType<typeof labelsOf>}>} */
  of(item) {
    const { key } = item;
    if (!this.#loaded.has(key)) {
      const loading = load(item, MOST_SIDE, Infinity);
      loading.catch(() => this.#loaded.delete(key));
      this.#loaded.set(key, loading);
      if (this.#loaded.size > KEPT) this.#loaded.delete(this.#loaded.keys().next().value);
    }
    return this.#loaded.get(key);
  }

  clear() {
    this.#loaded.clear();
  }
}

const queue = [];
let drawing = 0;

/** Draw a result small; a few at once, those that were asked for last first, as they are in sight. */
export function drawThumbnail(canvas, item) {
  return new Promise((resolve, reject) => {
    queue.push({ canvas, item, resolve, reject });
    drawNext();
  });
}

async function drawNext() {
  if (drawing >= THUMBNAILS_AT_ONCE || !queue.length) return;
  drawing += 1;
  const { canvas, item, resolve, reject } = queue.pop();
  try {
    if (canvas.isConnected) await draw(canvas, await load(item, THUMBNAIL, THUMBNAIL));
    resolve();
  } catch (error) {
    reject(error);
  } finally {
    drawing -= 1;
    drawNext();
  }
}

function draw(canvas, { picture, labels }) {
  const viewer = new MaskViewer(document.createElement("div"), () => {});
  viewer.outlines = false;
  viewer.show(picture, labels);
  [canvas.width, canvas.height] = [THUMBNAIL, Math.max(1, Math.round((THUMBNAIL * labels.height) / labels.width))];
  const context = canvas.getContext("2d");
  context.drawImage(viewer.layers[0], 0, 0, canvas.width, canvas.height);
  context.globalAlpha = 0.5;
  context.drawImage(viewer.layers[1], 0, 0, canvas.width, canvas.height);
}
