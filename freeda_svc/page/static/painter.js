// Painting what a word names in a picture: brush, eraser, polygon, or whole regions.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { announce } from "./shell.js";
import { MOST_SIDE } from "./viewer.js";

const COLOUR = [255, 64, 129];
const FILL = `rgb(${COLOUR.join(" ")})`;
const UNDO_BYTES = 200e6;
const CLOSE = 0.02;
const STEPS = 60;
const SHARP_SIDE = 800;
const TOOLS = { brush: "Brush", eraser: "Eraser", polygon: "Polygon", region: "Region" };

const HELP = {
  brush: "Drag over the object. Keyboard: arrows move, space paints, shift with arrows paints along.",
  eraser: "Drag over what does not belong to it. Keyboard as with the brush.",
  polygon: "Click corner after corner; a click on the first, or Enter, closes it. Keyboard: arrows move, space sets a corner.",
  region: "Click a region to add it, again to take it out. Keyboard: arrows move, space adds it.",
};

export class Painter {
  /**
   * @param {HTMLElement} root
   * @param {{findRegions: (file: File) => Promise<{width: number, height: number, map: Int32Array}>, onChange: () => void,
   *   shielded: (action: Function) => Function}} options findRegions: asked for when regions are first to be clicked
   */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.tool = "brush";
    this.size = 24;
    /** How many pixels are painted. */
    this.area = 0;
    [this.picture, this.paint, this.marks] = ["picture", "paint", "marks"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = name;
      return canvas;
    });
    this.stage = document.createElement("div");
    this.stage.className = "stage painting";
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", "Picture to paint on");
    this.stage.setAttribute("aria-describedby", "painter-help");
    this.stage.append(this.picture, this.paint, this.marks);
    this.paint.style.opacity = 0.6;
    const handle = (name, action) => this.stage.addEventListener(name, action.bind(this));
    handle("pointerdown", this.#down);
    handle("pointermove", this.#move);
    handle("pointerup", this.#up);
    handle("pointercancel", this.#up);
    handle("pointerleave", this.#leave);
    handle("keydown", this.#key);
  }

  /**
   * Paint on another picture; nothing where it is null.
   * @throws {Error} the browser cannot show it
   */
  async open(file) {
    Object.assign(this, { opened: file, file: null, regions: null, corners: [], past: [], area: 0 });
    this.root.hidden = true;
    if (!file) return;
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (this.opened !== file) return; // another one was chosen meanwhile
    if (!bitmap) throw new Error(`${file.name} cannot be shown by this browser; save it as PNG, JPEG or WebP first`);
    this.file = file;
    this.root.hidden = false;
    this.full = { width: bitmap.width, height: bitmap.height };
    const scale = Math.min(1, MOST_SIDE / Math.max(bitmap.width, bitmap.height)); // large pictures are painted at less detail
    [this.width, this.height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    for (const canvas of [this.picture, this.paint]) [canvas.width, canvas.height] = [this.width, this.height];
    this.markScale = Math.max(1, SHARP_SIDE / Math.max(this.width, this.height)); // marks on small pictures are sharp
    [this.marks.width, this.marks.height] = [this.width, this.height].map((side) => Math.round(side * this.markScale));
    this.size = Math.max(1, Math.round(Math.max(this.width, this.height) / 16));
    this.cursor = { x: this.width / 2, y: this.height / 2 };
    this.picture.getContext("2d").drawImage(bitmap, 0, 0, this.width, this.height);
    bitmap.close();
    this.context = this.paint.getContext("2d", { willReadFrequently: true });
    this.stage.classList.toggle("pixelated", Math.max(this.width, this.height) < 320);
    this.stage.style.setProperty("--shape", this.width / this.height);
    this.stage.style.setProperty("--widest", `${Math.max(this.width * 2, 640)}px`);
    if (this.tool === "region") this.tool = "brush";
    this.#changed();
  }

  #count() {
    if (!this.file) return 0;
    const { data } = this.context.getImageData(0, 0, this.width, this.height);
    let count = 0;
    for (let place = 3; place < data.length; place += 4) count += data[place] > 127;
    return count;
  }

  /** Return what is painted as a PNG of the picture's size, white on black. */
  async mask() {
    const canvas = new OffscreenCanvas(this.width, this.height);
    const context = canvas.getContext("2d");
    const pixels = this.context.getImageData(0, 0, this.width, this.height);
    for (let place = 0; place < pixels.data.length; place += 4) {
      const value = pixels.data[place + 3] > 127 ? 255 : 0;
      pixels.data.set([value, value, value, 255], place);
    }
    context.putImageData(pixels, 0, 0);
    const whole = new OffscreenCanvas(this.full.width, this.full.height);
    const target = whole.getContext("2d");
    target.imageSmoothingEnabled = false;
    target.drawImage(canvas, 0, 0, whole.width, whole.height);
    return whole.convertToBlob({ type: "image/png" });
  }

  #remember() {
    const size = 4 * this.width * this.height;
    this.past.push(this.context.getImageData(0, 0, this.width, this.height));
    while (this.past.length > 1 && this.past.length * size > UNDO_BYTES) this.past.shift();
  }

  #undo() {
    if (this.corners.length) this.corners.pop();
    else if (this.past.length) this.context.putImageData(this.past.pop(), 0, 0);
    this.#changed();
  }

  #clear() {
    this.#remember();
    this.corners = [];
    this.context.clearRect(0, 0, this.width, this.height);
    this.#changed();
  }

  async #choose(tool) {
    this.tool = tool;
    this.corners = [];
    this.#changed();
    if (tool !== "region" || this.regions) return;
    const { file } = this;
    this.looking = true;
    this.#render();
    try {
      const regions = await this.options.findRegions(file);
      if (this.file === file) this.regions = regions;
    } catch (error) {
      this.tool = "brush";
      throw error;
    } finally {
      this.looking = false;
      this.#changed();
    }
  }

  #under(event) {
    const box = this.stage.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.width,
      y: ((event.clientY - box.top) / box.height) * this.height,
    };
  }

  #line(from, to) {
    const { context } = this;
    context.globalCompositeOperation = this.tool === "eraser" ? "destination-out" : "source-over";
    context.strokeStyle = FILL;
    context.lineWidth = this.size;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);
    context.stroke();
    context.globalCompositeOperation = "source-over";
  }

  #corner(at) {
    const [first] = this.corners;
    const near = first && Math.hypot(at.x - first.x, at.y - first.y) < CLOSE * Math.max(this.width, this.height);
    if (near && this.corners.length > 2) this.#closePolygon();
    else this.corners.push(at);
  }

  #closePolygon() {
    if (this.corners.length < 3) return;
    this.#remember();
    const { context } = this;
    context.fillStyle = FILL;
    context.beginPath();
    this.corners.forEach(({ x, y }) => context.lineTo(x, y));
    context.fill();
    this.corners = [];
    this.#changed();
  }

  #toggleRegion(at) {
    if (!this.regions) return;
    this.#remember();
    const { width, height, map } = this.regions;
    const region = (x, y) => map[Math.floor(((y + 0.5) * height) / this.height) * width + Math.floor(((x + 0.5) * width) / this.width)];
    const [x, y] = [Math.min(this.width - 1, Math.floor(at.x)), Math.min(this.height - 1, Math.floor(at.y))];
    const chosen = region(x, y);
    const pixels = this.context.getImageData(0, 0, this.width, this.height);
    const isIn = pixels.data[4 * (y * this.width + x) + 3] > 127;
    for (let row = 0; row < this.height; row += 1) {
      for (let column = 0; column < this.width; column += 1) {
        if (region(column, row) === chosen) pixels.data.set([...COLOUR, isIn ? 0 : 255], 4 * (row * this.width + column));
      }
    }
    this.context.putImageData(pixels, 0, 0);
    this.#changed();
  }

  #down(event) {
    if (event.button) return;
    this.stage.setPointerCapture(event.pointerId);
    this.cursor = this.#under(event);
    if (this.tool === "polygon") this.#corner(this.cursor);
    else if (this.tool === "region") this.#toggleRegion(this.cursor);
    else {
      this.#remember();
      this.drawing = true;
      this.#line(this.cursor, this.cursor);
    }
    this.#drawMarks();
  }

  #move(event) {
    const from = this.cursor;
    if (!this.file || !from) return;
    this.cursor = this.#under(event);
    if (this.drawing) this.#line(from, this.cursor);
    this.#drawMarks();
  }

  #up() {
    if (!this.drawing) return this.#changed();
    this.drawing = false;
    return this.#changed();
  }

  #leave() {
    if (!this.drawing && !this.corners.length) this.marks.getContext("2d").clearRect(0, 0, this.width, this.height);
  }

  #key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z") return;
      this.#undo();
    } else if (moves[event.key]) {
      const step = Math.max(1, Math.max(this.width, this.height) / STEPS);
      const [right, down] = moves[event.key];
      const from = this.cursor;
      this.cursor = {
        x: Math.max(0, Math.min(this.width - 1, from.x + step * right)),
        y: Math.max(0, Math.min(this.height - 1, from.y + step * down)),
      };
      if (event.shiftKey && (this.tool === "brush" || this.tool === "eraser")) {
        if (!event.repeat) this.#remember();
        this.#line(from, this.cursor);
        this.#changed();
      }
      this.#drawMarks();
    } else if (event.key === " ") {
      if (this.tool === "polygon") this.#corner(this.cursor);
      else if (this.tool === "region") this.#toggleRegion(this.cursor);
      else {
        this.#remember();
        this.#line(this.cursor, this.cursor);
      }
      this.#changed();
    } else if (event.key === "Enter" && this.tool === "polygon") this.#closePolygon();
    else if (event.key === "Escape" && this.corners.length) {
      this.corners = [];
      this.#changed();
    } else return;
    event.preventDefault();
  }

  #drawMarks() {
    const context = this.marks.getContext("2d");
    context.setTransform(this.markScale, 0, 0, this.markScale, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const thin = Math.max(this.width, this.height) / 500;
    for (const [colour, thick] of [["black", 3], ["white", 1.4]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick * thin;
      context.beginPath();
      if (this.tool === "brush" || this.tool === "eraser") context.arc(this.cursor.x, this.cursor.y, this.size / 2, 0, 2 * Math.PI);
      else context.arc(this.cursor.x, this.cursor.y, 5 * thin, 0, 2 * Math.PI);
      context.stroke();
      if (!this.corners.length) continue;
      context.beginPath();
      this.corners.forEach(({ x, y }) => context.lineTo(x, y));
      context.lineTo(this.cursor.x, this.cursor.y);
      context.stroke();
      context.beginPath();
      context.arc(this.corners[0].x, this.corners[0].y, 6 * thin, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  #changed() {
    this.#render();
    if (!this.file) return;
    this.#drawMarks();
    this.area = this.#count();
    const share = this.area / (this.width * this.height);
    announce(`${(100 * share).toFixed(0)} percent of the picture are painted`);
    this.options.onChange();
  }

  #render() {
    const { shielded } = this.options;
    render(
      html`<div class="tools" role="group" aria-label="Tools">
          ${Object.entries(TOOLS).map(
            ([tool, name]) => html`<button type="button" aria-pressed=${tool === this.tool ? "true" : "false"}
              @click=${shielded(() => this.#choose(tool))}>${name}</button>`,
          )}
          <label>Size <input type="range" min="1" max=${Math.round(Math.max(this.width ?? 0, this.height ?? 0) / 3)} .value=${String(this.size)}
            @input=${(event) => (this.size = event.target.valueAsNumber)} /></label>
          <button type="button" class="quiet" @click=${() => this.#undo()}>Undo</button>
          <button type="button" class="quiet" @click=${() => this.#clear()}>Clear</button>
          ${this.tool === "polygon" ? html`<button type="button" class="quiet" @click=${() => this.#closePolygon()}>Close polygon</button>` : null}
        </div>
        ${this.stage}
        <p class="soft" id="painter-help">${this.looking ? "Looking for regions …" : HELP[this.tool]}</p>`,
      this.root,
    );
  }
}
