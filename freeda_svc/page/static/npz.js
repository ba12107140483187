// Arrays of NumPy's .npz files: zip archives of .npy files, stored or deflated.

const [CENTRAL, END] = [0x02014b50, 0x06054b50];
const KINDS = { "<i4": Int32Array, "<f4": Float32Array, "<u2": Uint16Array, "|u1": Uint8Array };

/**
 * Read one array.
 * @param {ArrayBuffer} content of the file
 * @param {string} name of the array
 * @returns {Promise<{shape: number[], values: Int32Array | Float32Array | Uint16Array | Uint8Array}>}
 */
export async function readArray(content, name) {
  const packed = await unzip(content, `${name}.npy`);
  const view = new DataView(packed);
  const isLong = view.getUint8(6) > 1;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (isLong ? 12 : 10) + length;
  const head = new TextDecoder("latin1").decode(new Uint8Array(packed, start - length, length));
  const kind = KINDS[/'descr': '([^']+)'/.exec(head)?.[1]];
  const shape = /'shape': \(([^)]*)\)/.exec(head)?.[1].split(",").filter((part) => part.trim()).map(Number);
  if (!kind || !shape || !head.includes("'fortran_order': False")) throw new Error(`the array ${name} is not as expected`);
  return { shape, values: new kind(packed.slice(start)) };
}

async function unzip(content, name) {
  const view = new DataView(content);
  let end = view.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end -= 1;
  let place = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left && view.getUint32(place, true) === CENTRAL; left -= 1) {
    const [long, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(place + offset, true));
    const entry = new TextDecoder().decode(new Uint8Array(content, place + 46, long));
    if (entry === name) {
      const [method, size, local] = [view.getUint16(place + 10, true), view.getUint32(place + 20, true), view.getUint32(place + 42, true)];
      const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const bytes = content.slice(begin, begin + size);
      if (method === 0) return bytes;
      return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
    }
    place += 46 + long + extra + comment;
  }
  throw new Error(`there is no array ${name}`);
}
