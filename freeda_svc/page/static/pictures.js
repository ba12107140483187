// Choosing pictures: files, a folder, dropped ones, or the clipboard's.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { announce } from "./shell.js";

const ENDINGS = /\.(png|jpe?g|webp|gif|bmp|tiff?|hei[cf]|avif|jp2|ppm|pgm)$/i;
const PREVIEWS = 48;
const EMPTY_PICTURE = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";

export const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const unit = bytes ? Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3)) : 0;
  return `${(bytes / 1000 ** unit).toFixed(unit && bytes / 1000 ** unit < 10 ? 1 : 0)} ${units[unit]}`;
}

const isHidden = (file) => file.name.startsWith("."); // such as .DS_Store in each folder
const isPicture = (file) => file.type.startsWith("image/") || ENDINGS.test(file.name);

const paths = new WeakMap();
const byName = new Intl.Collator("en", { numeric: true });

/** What a file is called: with its folders where it came in one, as a/1.png. */
export const nameOf = (file) => paths.get(file) || file.webkitRelativePath || file.name;

/**
 * Return all files of what was dropped, those in folders too.
 * @returns {Promise<{files: File[], unread: number}>} unread: how many could not be read
 */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return { files: [...transfer.files], unread: 0 };
  const files = [];
  let unread = 0;
  const called = (entry, method, ...given) => new Promise((resolve, reject) => entry[method](...given, resolve, reject));
  const enter = async (entry) => {
    try {
      if (entry.isFile) {
        const file = await called(entry, "file");
        paths.set(file, entry.fullPath.replace(/^\/+/, ""));
        files.push(file);
        return;
      }
      const reader = entry.createReader();
      for (let some; (some = await called(reader, "readEntries")).length; ) {
        for (const inner of some) await enter(inner);
      }
    } catch {
      unread += 1;
    }
  };
  for (const entry of entries) await enter(entry);
  return { files, unread };
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
    this.refusals = new Map();
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
      const { files, unread } = await droppedFiles(event.dataTransfer);
      this.add(files, unread);
    });
    this.#render();
  }

  /**
   * Add those of some files that are pictures and are not there yet; those of folders in the order of their names.
   * @param {Iterable<File>} files
   * @param {number} unread how many further ones could not be read
   */
  add(files, unread = 0) {
    const given = [...files].filter((file) => !isHidden(file));
    const pictures = given.filter(isPicture);
    if (pictures.some((file) => nameOf(file) !== file.name)) pictures.sort((one, other) => byName.compare(nameOf(one), nameOf(other)));
    const identity = (file) => `${nameOf(file)} ${file.size} ${file.lastModified}`;
    const there = new Set(this.several ? this.files.map(identity) : []);
    const added = pictures.filter((file) => !there.has(identity(file)));
    if (!this.several && added.length) this.#forget(this.files);
    this.files = this.several ? [...this.files, ...added] : added.length ? added.slice(-1) : this.files;
    const left = { "not a picture": given.length - pictures.length, "chosen already": pictures.length - added.length, "cannot be read": unread };
    this.left = Object.entries(left)
      .filter(([, count]) => count)
      .map(([why, count]) => `${counted(count, "file")} left out: ${why}`);
    announce([added.length ? `${counted(this.files.length, "picture")} chosen` : "", ...this.left].join(" "));
    this.#changed();
  }

  /**
   * Show beside pictures why they were refused.
   * @param {Map<File, string>} refusals
   */
  refuse(refusals) {
    for (const [file, sentence] of refusals) this.refusals.set(file, sentence);
    this.#render();
  }

  /** Take back what was said of refused pictures. */
  clearRefusals() {
    this.refusals.clear();
    this.#render();
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
    this.left = [];
    this.#changed();
  }

  #forget(files) {
    for (const file of files) {
      URL.revokeObjectURL(this.previews.get(file));
      this.previews.delete(file);
      this.refusals.delete(file);
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
    const { files, several, refusals } = this;
    const first = [...files.filter((file) => refusals.has(file)), ...files.filter((file) => !refusals.has(file))].slice(0, PREVIEWS);
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
        ${this.left?.map((text) => html`<p class="soft">${text}</p>`)}
        ${several && files.length
          ? html`<ul class="chosen" aria-label="Chosen pictures">
                ${repeat(first, (file) => file, (file) => this.#entry(file))}
              </ul>
              <div class="row soft">
                <span>${counted(files.length, "picture")}, ${sizeText(size)}${files.length > PREVIEWS ? `; ${PREVIEWS} are shown` : ""}</span>
                <button type="button" class="quiet" @click=${() => this.clear()}>Remove all</button>
              </div>`
          : null}
        ${!several && files.length ? html`<ul class="chosen" aria-label="Chosen picture">${this.#entry(files[0])}</ul>` : null}`,
      this.root,
    );
  }

  #entry(file) {
    const without = (event) => (event.target.src = EMPTY_PICTURE); // the browser cannot show it; the server may
    const [name, sentence] = [nameOf(file), this.refusals.get(file)];
    const place = name.lastIndexOf("/") + 1;
    return html`<li class=${sentence ? "refused" : ""}>
      <img src=${this.#preview(file)} alt="" loading="lazy" decoding="async" @error=${without} />
      <span class="name" title=${name}>${place ? html`<span class="folder"><bdi>${name.slice(0, place)}</bdi></span>` : null}<bdi>${name.slice(place)}</bdi></span>
      ${sentence ? html`<span class="error-text">${sentence}</span>` : null}
      <button type="button" class="icon-button" aria-label="Remove ${name}" @click=${() => this.remove(file)}>✕</button>
    </li>`;
  }
}
