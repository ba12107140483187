// PNG files whose pixel values are labels or scores. Browsers only tell the colours of a picture, rounded to eight bits
// and changed by colour management, so the values are decoded here: one channel of 8 or 16 bits, not interlaced.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;
const INDEXED = 3;

/**
 * Decode a PNG of one channel.
 * @param {ArrayBuffer} content of the file
 * @returns {Promise<{width: number, height: number, deep: boolean, values: Uint8Array | Uint16Array,
 *   palette: number[][] | null}>} values row by row; the palette's colours as red, green, blue
 */
export async function decodePng(content) {
  const bytes = new Uint8Array(content);
  const view = new DataView(content);
  if (SIGNATURE.some((byte, place) => bytes[place] !== byte)) throw new Error("this is no PNG file");
  let head;
  let palette = null;
  const packed = [];
  for (let place = 8; place + 12 <= bytes.length; ) {
    const length = view.getUint32(place);
    const kind = String.fromCharCode(...bytes.subarray(place + 4, place + 8));
    const body = place + 8;
    if (kind === "IHDR") {
      head = { width: view.getUint32(body), height: view.getUint32(body + 4) };
      const [depth, colour, , , interlaced] = bytes.subarray(body + 8, body + 13);
      const fits = (colour === GREY && (depth === 8 || depth === 16)) || (colour === INDEXED && depth <= 8);
      if (!fits || interlaced) throw new Error("this PNG has colours or is interlaced; expected labels or scores");
      head.depth = depth;
    } else if (kind === "PLTE") {
      palette = Array.from({ length: length / 3 }, (_, n) => [...bytes.subarray(body + 3 * n, body + 3 * n + 3)]);
    } else if (kind === "IDAT") {
      packed.push(bytes.subarray(body, body + length));
    } else if (kind === "IEND") {
      break;
    }
    place = body + length + 4;
  }
  const { width, height, depth } = head;
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = new Uint8Array(await new Response(stream).arrayBuffer());
  const stride = Math.ceil((width * depth) / 8);
  unfilter(rows, stride, height, Math.max(1, depth / 8));
  return { width, height, deep: depth === 16, values: unpack(rows, stride, width, height, depth), palette };
}

/** Undo the filter of each row in place (PNG specification, section 9); a row begins with the filter's number. */
function unfilter(rows, stride, height, step) {
  for (let row = 0; row < height; row += 1) {
    const start = row * (stride + 1);
    const filter = rows[start];
    const above = start - stride - 1;
    for (let n = 1; n <= stride; n += 1) {
      const left = n > step ? rows[start + n - step] : 0;
      const up = row ? rows[above + n] : 0;
      const corner = row && n > step ? rows[above + n - step] : 0;
      rows[start + n] += predicted(filter, left, up, corner);
    }
  }
}

function predicted(filter, left, up, corner) {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function unpack(rows, stride, width, height, depth) {
  const values = depth === 16 ? new Uint16Array(width * height) : new Uint8Array(width * height);
  const most = (1 << depth) - 1;
  for (let row = 0; row < height; row += 1) {
    const start = row * (stride + 1) + 1;
    const target = row * width;
    for (let column = 0; column < width; column += 1) {
      if (depth === 16) values[target + column] = (rows[start + 2 * column] << 8) | rows[start + 2 * column + 1];
      else if (depth === 8) values[target + column] = rows[start + column];
      else {
        const bit = column * depth;
        values[target + column] = (rows[start + (bit >> 3)] >> (8 - depth - (bit & 7))) & most;
      }
    }
  }
  return values;
}
