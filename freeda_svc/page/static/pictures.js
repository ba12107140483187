// Choosing pictures: files, a folder, dropped ones, or the clipboard's.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { announce } from "./shell.js";

const ENDINGS = /\.(png|jpe?g|webp|gif|bmp|tiff?|hei[cf]|avif|jp2|ppm|pgm)$/i;
const PREVIEWS = 48;

export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const unit = bytes ? Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3)) : 0;
  return `${(bytes / 1000 ** unit).toFixed(unit && bytes / 1000 ** unit < 10 ? 1 : 0)} ${units[unit]}`;
}

const isPicture = (file) => !file.name.startsWith(".") && (file.type.startsWith("image/") || ENDINGS.test(file.name));

/** Return all files of what was dropped, those in folders too. */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  const enter = async (entry) => {
    if (entry.isFile) {
      files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const inner of some) await enter(inner);
    }
  };
  for (const entry of entries) await enter(entry);
  return files;
}

export class Pictures {
  /**
   * @param {HTMLElement} root where to show what was chosen, and where files may be dropped
   * @param {{onChange: (files: File[]) => void, several?: boolean, takesPaste?: boolean}} options several: files dropped
   *   anywhere on the page are taken
   */
  constructor(root, { onChange, several = true, takesPaste = true }) {
    this.files = [];
    this.root = root;
    this.several = several;
    this.onChange = onChange;
    this.previews = new Map();
    const area = several ? document : root;
    if (takesPaste) document.addEventListener("paste", (event) => this.#paste(event));
    for (const name of ["dragenter", "dragover"]) {
      area.addEventListener(name, (event) => {
        if (![...event.dataTransfer.types].includes("Files")) return;
        event.preventDefault();
        this.#over(true);
      });
    }
    area.addEventListener("dragleave", (event) => !root.contains(event.relatedTarget) && this.#over(false));
    area.addEventListener("drop", async (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      this.#over(false);
      this.add(await droppedFiles(event.dataTransfer));
    });
    this.#render();
  }

  /** Add those of some files that are pictures. */
  add(files) {
    const pictures = [...files].filter(isPicture);
    if (!this.several && pictures.length) this.#forget(this.files);
    this.files = this.several ? [...this.files, ...pictures] : pictures.slice(-1).concat(pictures.length ? [] : this.files);
    const others = files.length - pictures.length;
    this.left = others ? `${counted(others, "file")} left out: not a picture` : "";
    announce([pictures.length ? `${counted(this.files.length, "picture")} chosen` : "", this.left].join(" "));
    this.#changed();
  }

  remove(file) {
    this.#forget([file]);
    this.files = this.files.filter((one) => one !== file);
    this.#changed();
    this.root.querySelector("button")?.focus();
  }

  clear() {
    this.#forget(this.files);
    this.files = [];
    this.left = "";
    this.#changed();
  }

  #forget(files) {
    for (const file of files) {
      URL.revokeObjectURL(this.previews.get(file));
      this.previews.delete(file);
    }
  }

  #changed() {
    this.#render();
    this.onChange(this.files);
  }

  #over(is) {
    this.root.querySelector(".drop").classList.toggle("over", is);
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.add(files.map((file) => (file.name === "image.png" ? new File([file], `pasted-${Date.now() % 1e6}.png`, file) : file)));
  }

  #preview(file) {
    if (!this.previews.has(file)) this.previews.set(file, URL.createObjectURL(file));
    return this.previews.get(file);
  }

  #take(event) {
    this.add(event.target.files);
    event.target.value = "";
  }

  #render() {
    const open = (name) => this.root.querySelector(`input.${name}`).click();
    const take = (event) => this.#take(event);
    const { files, several } = this;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    render(
      html`<div class="drop">
          <div class="buttons">
            <button type="button" @click=${() => open("files")}>${several ? "Choose pictures" : "Choose a picture"}</button>
            ${several ? html`<button type="button" @click=${() => open("folder")}>Choose a folder</button>` : null}
          </div>
          <span class="soft">or drop ${several ? "them" : "it"} here, or paste</span>
          <input type="file" hidden class="files" ?multiple=${several} accept="image/*,.tif,.tiff,.heic,.heif" @change=${take} />
          ${several ? html`<input type="file" hidden class="folder" webkitdirectory multiple @change=${take} />` : null}
        </div>
        ${this.left ? html`<p class="soft">${this.left}</p>` : null}
        ${several && files.length
          ? html`<ul class="chosen" aria-label="Chosen pictures">
                ${files.slice(0, PREVIEWS).map((file) => this.#entry(file))}
              </ul>
              <div class="row soft">
                <span>${counted(files.length, "picture")}, ${sizeText(size)}${files.length > PREVIEWS ? `; the first ${PREVIEWS} are shown` : ""}</span>
                <button type="button" class="quiet" @click=${() => this.clear()}>Remove all</button>
              </div>`
          : null}
        ${!several && files.length ? html`<ul class="chosen" aria-label="Chosen picture">${this.#entry(files[0])}</ul>` : null}`,
      this.root,
    );
  }

  #entry(file) {
    const without = (event) => {
      const none = Object.assign(document.createElement("span"), { className: "none" });
      event.target.replaceWith(none);
    };
    return html`<li>
      <img src=${this.#preview(file)} alt="" loading="lazy" @error=${without} />
      <bdi class="name" title=${file.webkitRelativePath || file.name}>${file.name}</bdi>
      <button type="button" class="icon-button" aria-label="Remove ${file.name}" @click=${() => this.remove(file)}>✕</button>
    </li>`;
  }
}
