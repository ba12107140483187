// The results of a segmentation job, one by one as they come.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { allOf, at, followJob, getBlob, getBytes, getJson, send } from "./api.js";
import { Downloads } from "./downloads.js";
import { EvidenceOfPicture } from "./evidence.js";
import { counted } from "./pictures.js";
import { decodePng } from "./png.js";
import { announce, confirmed, shielded, showProblem } from "./shell.js";
import { css, labelsOf, MaskViewer } from "./viewer.js";

const ENDED = ["done", "failed", "partly failed", "cancelled"];
const LOOK_MS = 400;
const PAGE = 500;
const KEPT_PICTURES = 8;
const THUMBNAIL = 160;
const MOST_SCORE = 65535;

/** Whether a result has a mask: a job that only proposes words has none. */
const isShown = (item) => item.state === "done" && Boolean(item.files.mask);

export const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);

/** Return a file of a result as a picture; null where the browser cannot read it. */
async function pictureOf(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

export class JobResults {
  /** @param {HTMLElement} root @param {{onProposals?: (names: string[]) => void}} options */
  constructor(root, { onProposals = () => {} } = {}) {
    this.root = root;
    this.onProposals = onProposals;
    this.hidden = new Set();
    this.stage = document.createElement("div");
    this.stage.className = "stage";
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "picture with its mask");
    this.stage.setAttribute("aria-describedby", "stage-help");
    this.viewer = new MaskViewer(this.stage, (place) => this.#pointAt(place));
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) this.#drawThumbnail(entry.target);
    });
    this.#reset();
    this.#render();
  }

  #reset() {
    this.job = null;
    this.items = [];
    this.selected = null;
    this.shown = null;
    this.place = null;
    this.loaded = new Map();
    this.evidence = null;
    this.hidden.clear();
    this.seen.disconnect();
  }

  /**
   * Show a job's results until it has ended.
   * @param {string} job its id
   * @param {File[]} files its pictures where they are at hand, in order
   * @param {{auto?: boolean}} options auto: the names that were proposed are passed on
   */
  async follow(job, files, { auto = false } = {}) {
    this.stop?.abort();
    const stop = (this.stop = new AbortController());
    this.#reset();
    this.files = files;
    this.root.setAttribute("aria-busy", "true");
    try {
      let last = 0;
      for await (const { state } of followJob(job, stop.signal)) {
        if (!ENDED.includes(state) && Date.now() - last < LOOK_MS) continue;
        last = Date.now();
        await this.#look(job);
      }
    } finally {
      this.root.setAttribute("aria-busy", "false");
    }
    if (stop.signal.aborted) return;
    const { done, failed } = this.job.progress;
    announce(`${this.job.state}: ${counted(done, "picture")} segmented${failed ? `, ${failed} failed` : ""}`);
    if (auto) this.onProposals([...new Set(this.items.flatMap((item) => item.summary?.categories ?? []).map((one) => one.name))]);
  }

  /** Ask how far the job is, and for the results that there are. */
  async #look(job) {
    const details = await getJson(at(["v1", "jobs", job])); // before the results, so that none is missing at the end
    const news = await this.#news(job);
    if (this.stop.signal.aborted) return;
    this.job = details;
    this.items = [...this.items.filter((item) => !news.length || item.number < news[0].number), ...news];
    this.#render();
    const first = this.items.find(isShown);
    if (this.selected === null && first) await this.select(first.number);
  }

  /** Return the results from the first on that has not ended yet. */
  async #news(job) {
    const open = this.items.findIndex((item) => !ENDED.includes(item.state));
    const before = this.items[(open < 0 ? this.items.length : open) - 1]?.number;
    const news = [];
    for await (const item of allOf(["v1", "jobs", job, "results"], { limit: PAGE, after: before })) news.push(item);
    return news;
  }

  #item(number) {
    return this.items.find((item) => item.number === number);
  }

  /** Return what is needed to show a result; the last few are kept. */
  #load(number) {
    if (!this.loaded.has(number)) {
      const { files, summary } = this.#item(number);
      const local = this.files?.[number - 1];
      const picture = local ? pictureOf(local) : Promise.resolve(null);
      const loading = Promise.all([
        picture
          .then((found) => found ?? getBlob(files.image).then(pictureOf, () => null))
          .then((found) => found ?? getBlob(`${files.image}.png`).then(pictureOf, () => null)), // TIFF, HEIC and so on
        getBytes(files.mask).then(decodePng),
      ]).then(([bitmap, mask]) => ({ bitmap, labels: labelsOf(mask, summary.categories.length) }));
      loading.catch(() => this.loaded.delete(number));
      this.loaded.set(number, loading);
      if (this.loaded.size > KEPT_PICTURES) this.loaded.delete(this.loaded.keys().next().value);
    }
    return this.loaded.get(number);
  }

  /** Show one of the pictures large. */
  async select(number) {
    this.selected = number;
    this.place = null;
    this.evidence = null;
    this.scores = null;
    const item = this.#item(number);
    this.#render();
    if (!isShown(item)) return;
    const { bitmap, labels } = await this.#load(number);
    if (this.selected !== number) return;
    this.shown = { item, labels };
    this.stage.setAttribute("aria-label", `${item.name}, with its mask`);
    this.#hide();
    this.viewer.show(bitmap, labels);
    this.#render();
    const scores = item.files["scores-png"];
    if (scores) this.scores = (await getBytes(scores).then(decodePng)).values;
    if (item.files.evidence) {
      const evidence = new EvidenceOfPicture(await getJson(item.files.evidence), this.job.parameters.bank);
      if (this.selected === number) this.evidence = evidence;
    }
    this.#render();
  }

  #hide() {
    const { item } = this.shown;
    const indices = item.summary.categories.filter((one) => this.hidden.has(one.name)).map((one) => one.index);
    this.viewer.hidden = new Set([...indices, ...(this.hidden.has(null) ? [-1] : [])]);
  }

  #toggle(name) {
    this.hidden.has(name) ? this.hidden.delete(name) : this.hidden.add(name);
    this.#redraw();
  }

  #redraw() {
    this.#hide();
    this.viewer.draw();
    this.#render();
  }

  #pointAt(place) {
    this.place = place;
    this.#render();
  }

  async #drawThumbnail(canvas) {
    const number = Number(canvas.dataset.number);
    const item = this.#item(number);
    if (!item || !isShown(item) || canvas.dataset.drawn === this.job.id) return;
    canvas.dataset.drawn = this.job.id;
    try {
      const { bitmap, labels } = await this.#load(number);
      const small = document.createElement("div");
      const viewer = new MaskViewer(small, () => {});
      viewer.outlines = false;
      viewer.show(bitmap, labels);
      const [width, height] = [THUMBNAIL * 2, Math.round((THUMBNAIL * 2 * labels.height) / labels.width)];
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.drawImage(viewer.layers[0], 0, 0, width, height);
      context.globalAlpha = 0.5;
      context.drawImage(viewer.layers[1], 0, 0, width, height);
    } catch (error) {
      showProblem(error);
    }
  }

  async #cancel() {
    if (!(await confirmed("Cancel this job?", "What is done stays; what has not begun is left out.", "Cancel the job"))) return;
    await send("DELETE", at(["v1", "jobs", this.job.id]));
  }

  #render() {
    render(this.job ? this.#whole() : this.#nothing(), this.root);
    if (!this.job) return;
    for (const canvas of this.root.querySelectorAll('.strip canvas[data-state="done"]')) {
      if (canvas.dataset.drawn !== this.job.id) this.seen.observe(canvas); // it is told once whether it is in sight
    }
  }

  #nothing() {
    return html`<div class="empty">
      <p>Choose pictures, type what to look for, and press <b>Segment</b>.</p>
      <p>Results appear here one by one, with a legend whose categories can be hidden.</p>
    </div>`;
  }

  #whole() {
    const { job, items } = this;
    const { total, done, failed, ended = done + failed + job.progress.cancelled, seconds_left: left } = job.progress;
    const open = !ENDED.includes(job.state);
    const rest = open && left ? `, about ${Math.ceil(left)} s left` : "";
    return html`<div class="head">
        <div class="grow">
          <h2>${open ? "Segmenting" : job.state === "done" ? "Segmented" : `The job is ${job.state}`}</h2>
          <span class="soft">${done} of ${counted(total, "picture")}${failed ? `, ${failed} failed` : ""}${rest} ·
            <a href=${at(["jobs"], { job: job.id })}>job ${job.id}</a></span>
        </div>
        ${open ? html`<button type="button" @click=${shielded(() => this.#cancel())}>Cancel</button>` : nothing}
        ${items.some(isShown) ? this.#downloads() : nothing}
      </div>
      ${open ? html`<progress max=${total} value=${ended} aria-label="Pictures that are done"></progress>` : nothing}
      ${this.shown ? this.#view() : nothing}
      ${job.parameters.only_propose ? html`<p class="soft">This job only proposed words; a later one segmented the pictures.</p>` : nothing}
      ${this.shown ? nothing : this.#strip()}`;
  }

  #downloads() {
    this.downloads ??= new Downloads();
    return this.downloads.view(this.job.id, this.shown?.item);
  }

  #view() {
    const { item } = this.shown;
    return html`<div class="view">
      <div>
        <h3><bdi>${item.name}</bdi></h3>
        ${this.stage}
        <p class="unseen" id="stage-help">Arrow keys move a mark, shift makes smaller steps; what is below it is told beneath the picture.</p>
        ${this.#controls()}
        <div class="readout" aria-live="polite">${this.#readout()}</div>
        ${this.items.length > 1 ? this.#strip() : nothing}
      </div>
      <div class="panel">
        <h3 class="unseen">Legend</h3>
        ${this.#legend()}
        ${this.evidence?.prototypesView(this.place?.label)}
      </div>
    </div>`;
  }

  #controls() {
    const { viewer } = this;
    const outlines = (event) => {
      viewer.outlines = event.target.checked;
      viewer.draw();
    };
    const opacity = (event) => viewer.setOpacity(event.target.valueAsNumber);
    return html`<div class="controls">
      <label>Mask <input type="range" min="0" max="1" step="0.05" .value=${String(viewer.opacity)} @input=${opacity} aria-label="Opacity of the mask" /></label>
      <label><input type="checkbox" .checked=${viewer.outlines} @change=${outlines} />Outlines</label>
      <span class="soft">Point at the picture, tap it, or focus it and use the arrow keys.</span>
    </div>`;
  }

  #legend() {
    const { item, labels } = this.shown;
    const { categories, unknown_share: unknown } = item.summary;
    const sorted = [...categories].sort((one, other) => other.area_share - one.area_share);
    const all = [...categories.map((one) => one.name), ...(unknown ? [null] : [])];
    const show = (names) => {
      this.hidden = new Set(names);
      this.#redraw();
    };
    return html`<ul class="legend">
        ${repeat(sorted, (one) => one.index, (one) => this.#entry(one.name, one.name, labels.colours[one.index], one.area_share, one))}
        ${unknown ? this.#entry(null, "unknown", labels.unknownColour, unknown) : nothing}
      </ul>
      <p class="buttons">
        <button type="button" class="quiet" @click=${() => show([])}>Show all</button>
        <button type="button" class="quiet" @click=${() => show(all)}>Hide all</button>
      </p>`;
  }

  #entry(name, text, colour, share, category) {
    const unknown = (category?.words ?? []).filter((word) => !word.prototypes);
    return html`<li>
        <button type="button" aria-pressed=${this.hidden.has(name) ? "false" : "true"} @click=${() => this.#toggle(name)}>
          <span class="swatch" .style=${`background: ${css(colour)}`}></span><bdi>${text}</bdi>
          <span class="share">${share ? percent(share) : "–"}</span>
        </button>
      </li>
      ${unknown.map(
        (word) => html`<li class="note">The bank has no “<bdi>${word.text}</bdi>”; shown is what is nearest:
          ${word.nearest.slice(0, 3).map((one, n) => html`${n ? ", " : ""}<bdi>${one.noun}</bdi>`)}</li>`,
      )}`;
  }

  #readout() {
    const { place } = this;
    if (!place) return nothing;
    const { item, labels } = this.shown;
    const category = item.summary.categories[place.label];
    const score = this.scores?.[place.row * labels.width + place.column];
    const colour = category ? labels.colours[place.label] : labels.unknownColour;
    return html`<p class="what">
        <span class="swatch" .style=${`background: ${css(colour)}`}></span><bdi>${category?.name ?? "unknown"}</bdi>
        ${score === undefined ? nothing : html`<span class="soft number">score ${(score / MOST_SCORE).toFixed(3)}</span>`}
      </p>
      ${this.evidence ? this.evidence.regionView(place, labels) : html`<p class="soft">row ${place.row}, column ${place.column}</p>`}`;
  }

  #strip() {
    return html`<ul class="strip" aria-label="Pictures of this job">
      ${repeat(
        this.items,
        (item) => item.number,
        (item) => html`<li>
          <button type="button" aria-pressed=${item.number === this.selected ? "true" : "false"} ?disabled=${!isShown(item)}
            @click=${shielded(() => this.select(item.number))}>
            <canvas data-number=${item.number} data-state=${isShown(item) ? "done" : ""} aria-hidden="true"></canvas>
            <bdi class="name" title=${item.name}>${item.name}</bdi>
            <span class="state ${item.state === "failed" ? "bad" : ""}">${item.state}</span>
          </button>
          ${item.error ? html`<p class="error-text soft">${item.error}</p>` : nothing}
        </li>`,
      )}
    </ul>`;
  }
}
