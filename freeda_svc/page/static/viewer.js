// A picture under its mask: categories that can be hidden, opacity, outlines, and what is at a place.

/** Pictures are drawn at most so large, pixels: more than a screen shows of them. */
export const MOST_SIDE = 2048;
const LEAST_SIDE = 512;
const SMALL_SIDE = 320;
const STEPS = 48;
const HATCH = 6;

/** Return N colours that are far apart, for masks without a palette. */
export function spreadColours(count) {
  return Array.from({ length: count }, (_, n) => {
    const hue = (n * 137.508) % 360;
    const [light, chroma] = [n % 2 ? 0.62 : 0.45, 0.3];
    return [0, 8, 4].map((k) => {
      const turn = (k + hue / 30) % 12;
      return Math.round(255 * (light - chroma * Math.max(-1, Math.min(turn - 3, 9 - turn, 1))));
    });
  });
}

export const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

/** What ``decodePng`` read, as labels: -1 where unknown. */
export function labelsOf({ width, height, values, deep, palette }, categories) {
  const unknown = deep ? 65535 : 255;
  const colours = palette ? palette.slice(0, categories) : spreadColours(categories);
  return { width, height, values, unknown, colours, unknownColour: [128, 128, 128] };
}

export class MaskViewer {
  /**
   * @param {HTMLElement} stage an empty element that can have the focus
   * @param {(place: {row: number, column: number, label: number} | null) => void} onPlace called with what is pointed at
   */
  constructor(stage, onPlace) {
    this.stage = stage;
    this.onPlace = onPlace;
    this.layers = ["picture", "mask", "marks", "cross"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = name;
      stage.append(canvas);
      return canvas;
    });
    this.hidden = new Set();
    this.opacity = 0.55;
    this.outlines = true;
    this.pinned = null;
    stage.addEventListener("pointermove", (event) => this.#point(event));
    stage.addEventListener("pointerleave", () => this.onPlace(this.pinned));
    stage.addEventListener("click", (event) => this.#pin(event));
    stage.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Show a picture.
   * @param {ImageBitmap | null} picture of any size; null where the browser cannot show it
   * @param {ReturnType<typeof labelsOf>} labels
   */
  show(picture, labels) {
    this.picture = picture;
    this.labels = labels;
    this.pinned = null;
    const longest = Math.max(labels.width, labels.height);
    this.scale = longest > MOST_SIDE ? MOST_SIDE / longest : Math.max(1, Math.ceil(LEAST_SIDE / longest));
    this.width = Math.max(1, Math.round(labels.width * this.scale));
    this.height = Math.max(1, Math.round(labels.height * this.scale));
    for (const canvas of this.layers) [canvas.width, canvas.height] = [this.width, this.height];
    this.stage.classList.toggle("pixelated", longest < SMALL_SIDE);
    this.stage.style.setProperty("--shape", labels.width / labels.height);
    this.stage.style.setProperty("--widest", `${Math.max(labels.width * 2, 640)}px`);
    this.#drawPicture();
    this.draw();
  }

  /** Draw the mask again, after ``hidden``, ``opacity`` or ``outlines`` has changed. */
  draw() {
    if (!this.labels) return;
    this.layers[1].style.opacity = this.opacity;
    this.#drawMask();
    this.#drawCross();
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.layers[1].style.opacity = opacity;
  }

  #drawPicture() {
    const canvas = this.layers[0].getContext("2d");
    canvas.imageSmoothingEnabled = this.scale < 2;
    canvas.fillStyle = "white";
    canvas.fillRect(0, 0, this.width, this.height);
    if (this.picture) canvas.drawImage(this.picture, 0, 0, this.width, this.height);
  }

  #drawMask() {
    const { width, height } = this;
    const { values, unknown, colours, unknownColour } = this.labels;
    const table = new Uint32Array(unknown + 1);
    const bytes = new Uint8Array(table.buffer);
    const fill = (label, [red, green, blue]) => bytes.set([red, green, blue, 255], 4 * label);
    colours.forEach((colour, label) => !this.hidden.has(label) && fill(label, colour));
    const unknownShown = !this.hidden.has(-1);
    if (unknownShown) fill(unknown, unknownColour);
    const mask = new Uint32Array(width * height);
    const marks = new Uint32Array(width * height);
    const columns = Uint32Array.from({ length: width }, (_, x) => this.#column(x));
    const line = new Uint32Array(new Uint8Array([255, 255, 255, 235]).buffer)[0];
    const dark = new Uint32Array(new Uint8Array([40, 40, 40, 255]).buffer)[0];
    let above = null;
    for (let y = 0; y < height; y += 1) {
      const row = this.#row(y) * this.labels.width;
      for (let x = 0; x < width; x += 1) {
        const label = values[row + columns[x]];
        const place = y * width + x;
        mask[place] = label === unknown && unknownShown && (x + y) % HATCH < 2 ? dark : table[label];
        if (!this.outlines) continue;
        const left = x ? values[row + columns[x - 1]] : label;
        const up = above === null ? label : values[above + columns[x]];
        if ((left !== label && (table[label] || table[left])) || (up !== label && (table[label] || table[up]))) {
          marks[place] = line;
        }
      }
      above = row;
    }
    const put = (canvas, pixels) =>
      canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), width, height), 0, 0);
    put(this.layers[1], mask);
    put(this.layers[2], marks);
  }

  #drawCross() {
    const canvas = this.layers[3].getContext("2d");
    canvas.clearRect(0, 0, this.width, this.height);
    if (!this.pinned) return;
    const x = (this.pinned.column + 0.5) * this.scale;
    const y = (this.pinned.row + 0.5) * this.scale;
    const size = Math.max(8, this.width / 40);
    for (const [colour, thick] of [["black", 5], ["white", 2]]) {
      canvas.strokeStyle = colour;
      canvas.lineWidth = (thick * this.width) / 700;
      canvas.beginPath();
      canvas.arc(x, y, size / 2, 0, 2 * Math.PI);
      canvas.moveTo(x - size, y);
      canvas.lineTo(x + size, y);
      canvas.moveTo(x, y - size);
      canvas.lineTo(x, y + size);
      canvas.stroke();
    }
  }

  #row(y) {
    return Math.min(this.labels.height - 1, Math.floor((y + 0.5) / this.scale));
  }

  #column(x) {
    return Math.min(this.labels.width - 1, Math.floor((x + 0.5) / this.scale));
  }

  #place(row, column) {
    const { width, height, values, unknown } = this.labels;
    const inside = { row: Math.max(0, Math.min(height - 1, row)), column: Math.max(0, Math.min(width - 1, column)) };
    const value = values[inside.row * width + inside.column];
    return { ...inside, label: value === unknown ? -1 : value };
  }

  #under(event) {
    const box = this.stage.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.labels.height);
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.labels.width);
    return this.#place(row, column);
  }

  #point(event) {
    if (this.labels && event.pointerType !== "touch") this.onPlace(this.#under(event));
  }

  #pin(event) {
    if (!this.labels) return;
    this.pinned = this.#under(event);
    this.#drawCross();
    this.onPlace(this.pinned);
  }

  #key(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!this.labels || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape" && this.pinned) {
      this.pinned = null;
    } else if (moves[event.key]) {
      const step = event.shiftKey ? 1 : Math.max(1, Math.round(Math.max(this.labels.width, this.labels.height) / STEPS));
      const { width, height } = this.labels;
      const from = this.pinned ?? { row: height >> 1, column: width >> 1 };
      const [down, right] = moves[event.key];
      this.pinned = this.#place(from.row + step * down, from.column + step * right);
    } else {
      return;
    }
    event.preventDefault();
    this.#drawCross();
    this.onPlace(this.pinned);
  }
}
