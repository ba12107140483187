// The results of a segmentation, one by one as they come: its pictures under their masks, with legend and evidence.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { at, getBytes, getJson, newest } from "./api.js";
import { Downloads } from "./downloads.js";
import { EvidenceOfPicture } from "./evidence.js";
import { JobGroup } from "./job_group.js";
import { decode, drawThumbnail, LoadedPictures } from "./loading.js";
import { counted } from "./pictures.js";
import { announce, confirmed, shielded, showProblem } from "./shell.js";
import { css, MaskViewer } from "./viewer.js";

const MOST_SCORE = 65535;

/** Whether a result has a mask: a job that only proposes words has none. */
const isShown = (item) => item.state === "done" && Boolean(item.files.mask);

export const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);

export class Results {
  /** @param {HTMLElement} root @param {{onProposals?: (names: string[]) => void}} options */
  constructor(root, { onProposals = () => {} } = {}) {
    this.root = root;
    this.onProposals = onProposals;
    this.hidden = new Set();
    this.loaded = new LoadedPictures();
    this.asked = newest();
    this.stage = document.createElement("div");
    this.stage.className = "stage";
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "picture with its mask");
    this.stage.setAttribute("aria-describedby", "stage-help");
    // drawn by themselves: the pointer moves often, and lists of pictures are long
    [this.readout, this.strip, this.speaking] = [0, 1, 2].map(() => document.createElement("div"));
    this.readout.className = "readout";
    this.readout.setAttribute("aria-live", "polite");
    this.viewer = new MaskViewer(this.stage, (place) => this.#pointAt(place));
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) this.#drawThumbnail(entry.target);
    });
    this.#reset();
    this.#render();
  }

  #reset() {
    this.group?.stop();
    this.group = null;
    this.selected = null;
    this.shown = null;
    this.place = null;
    this.evidence = null;
    this.loaded.clear();
    this.hidden.clear();
    this.seen.disconnect();
    this.asked(); // what is being loaded is not shown any more
  }

  /**
   * Begin to show jobs, in place of those that are shown.
   * @param {number} unsent how many pictures are going to be sent
   * @returns {JobGroup} to which jobs are added by ``follow``
   */
  begin(unsent) {
    this.#reset();
    const group = (this.group = new JobGroup(shielded(() => group === this.group && this.#changed())));
    group.unsent = unsent;
    this.#render();
    return group;
  }

  /** Show nothing. */
  clear() {
    this.#reset();
    this.#render();
  }

  /**
   * Show a job's results, after those of the jobs before it in the group, until all have ended.
   * @param {JobGroup} group
   * @param {string} job its id
   * @param {File[]} files its pictures where they are at hand, in order
   * @param {{auto?: boolean}} options auto: the names that were proposed are passed on
   */
  async follow(group, job, files, { auto = false } = {}) {
    this.root.setAttribute("aria-busy", "true");
    const end = group.add(job, files);
    this.#render();
    try {
      await end;
    } finally {
      if (group === this.group) this.root.setAttribute("aria-busy", "false");
    }
    if (group !== this.group || group.isOpen || job !== group.ids.at(-1)) return;
    const { done, failed } = group.progress;
    announce(`${group.state}: ${counted(done, "picture")} segmented${failed ? `, ${failed} failed` : ""}`);
    if (auto) this.onProposals([...new Set(group.items.flatMap((item) => item.summary?.categories ?? []).map((one) => one.name))]);
  }

  /** Show the group as it is by now. */
  refresh() {
    this.#render();
  }

  #changed() {
    this.#render();
    const first = this.group.items.find(isShown);
    return this.selected === null && first ? this.select(first) : undefined;
  }

  /** Show one of the pictures large. */
  async select(item) {
    const isNewest = this.asked();
    this.selected = item.key;
    this.place = null;
    this.evidence = null;
    this.scores = null;
    this.#render();
    try {
      const { picture, labels } = await this.loaded.of(item);
      if (!isNewest()) return;
      this.shown = { item, labels };
      this.place = null; // of the picture before
      this.stage.setAttribute("aria-label", `${item.name}, with its mask`);
      this.#hide();
      this.viewer.show(picture, labels);
      this.#render();
      if (!item.files.evidence) return;
      const evidence = new EvidenceOfPicture(await getJson(item.files.evidence), this.group?.parameters?.bank);
      if (!isNewest()) return;
      this.evidence = evidence;
      this.#render();
    } catch (error) {
      if (isNewest()) throw error;
    }
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
    const { shown } = this;
    const isOther = place?.label !== this.place?.label;
    this.place = place;
    this.#renderReadout();
    if (isOther) this.#renderSpeaking();
    if (place && shown && !shown.scoring) {
      shown.scoring = this.#loadScores(shown); // when they are first wanted: they are the largest of all files
      shown.scoring.catch((error) => {
        shown.scoring = null;
        showProblem(error);
      });
    }
  }

  async #loadScores(shown) {
    const path = shown.item.files["scores-png"];
    if (!path) return;
    const { values } = await decode(await getBytes(path));
    if (shown !== this.shown) return;
    this.scores = values;
    this.#renderReadout();
  }

  async #drawThumbnail(canvas) {
    const { item } = canvas;
    if (!item || !isShown(item) || canvas.drawn === item.key) return;
    canvas.drawn = item.key;
    try {
      await drawThumbnail(canvas, item);
    } catch (error) {
      canvas.drawn = null;
      showProblem(error);
    }
  }

  async #cancel() {
    const { group } = this;
    if (!(await confirmed("Cancel this job?", "What is done stays; what has not begun is left out.", "Cancel the job"))) return;
    await group.cancel();
  }

  #render() {
    render(this.group ? this.#whole(this.group) : this.#nothing(), this.root);
    if (!this.group) return;
    this.#renderStrip();
    this.#renderReadout();
    this.#renderSpeaking();
  }

  #nothing() {
    return html`<div class="empty">
      <p>Choose pictures, type what to look for, and press <b>Segment</b>.</p>
      <p>Results appear here one by one, with a legend whose categories can be hidden.</p>
    </div>`;
  }

  #whole(group) {
    const { total, done, failed, ended, secondsLeft } = group.progress;
    const { ids, isOpen } = group;
    const rest = isOpen && secondsLeft ? `, about ${Math.ceil(secondsLeft)} s left` : "";
    const title = group.isInterrupted ? "Not all pictures were sent" : isOpen ? "Segmenting" : group.state === "done" ? "Segmented" : `The job is ${group.state}`;
    const jobs = ids.map((id, n) => html`${n ? ", " : ""}<a href=${at(["jobs"], { job: id })}>${n ? "" : "job "}${id}</a>`);
    return html`<div class="head">
        <div class="grow">
          <h2>${title}</h2>
          <span class="soft">${done.toLocaleString("en")} of ${counted(total, "picture")}${failed ? `, ${failed} failed` : ""}${rest} · ${jobs}</span>
        </div>
        ${isOpen && ids.length ? html`<button type="button" @click=${shielded(() => this.#cancel())}>Cancel</button>` : nothing}
        ${group.items.some(isShown) ? this.#downloads(ids) : nothing}
      </div>
      ${isOpen ? html`<progress max=${total} value=${ended} aria-label="Pictures that are done"></progress>` : nothing}
      ${this.shown ? this.#view() : nothing}
      ${group.parameters?.only_propose ? html`<p class="soft">This job only proposed words; a later one segmented the pictures.</p>` : nothing}
      ${this.shown ? nothing : this.strip}`;
  }

  #downloads(ids) {
    this.downloads ??= new Downloads();
    return this.downloads.view(ids, this.shown?.item);
  }

  #view() {
    const { item } = this.shown;
    return html`<div class="view">
      <div>
        <h3><bdi>${item.name}</bdi></h3>
        ${this.stage}
        <p class="unseen" id="stage-help">Arrow keys move a mark, shift makes smaller steps; what is below it is said beneath the picture.</p>
        ${this.#controls()}
        ${this.readout}
        ${this.group.items.length > 1 ? this.strip : nothing}
      </div>
      <div class="panel">
        <h3 class="unseen">Legend</h3>
        ${this.#legend()}
        ${this.speaking}
      </div>
    </div>`;
  }

  #renderSpeaking() {
    render(this.evidence?.prototypesView(this.place?.label) ?? nothing, this.speaking);
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

  #renderReadout() {
    render(this.place && this.shown ? this.#described(this.place, this.shown) : nothing, this.readout);
  }

  #described(place, { item, labels }) {
    const category = item.summary.categories[place.label];
    const score = this.scores?.[place.row * labels.width + place.column];
    const colour = category ? labels.colours[place.label] : labels.unknownColour;
    return html`<p class="what">
        <span class="swatch" .style=${`background: ${css(colour)}`}></span><bdi>${category?.name ?? "unknown"}</bdi>
        ${score === undefined ? nothing : html`<span class="soft number">score ${(score / MOST_SCORE).toFixed(3)}</span>`}
      </p>
      ${this.evidence ? this.evidence.regionView(place, labels) : html`<p class="soft">row ${place.row}, column ${place.column}</p>`}`;
  }

  #renderStrip() {
    const { items } = this.group;
    render(
      html`<ul class="strip" aria-label="Pictures of this job">
        ${repeat(
          items,
          (item) => item.key,
          (item) => {
            const place = item.name.lastIndexOf("/") + 1;
            return html`<li>
              <button type="button" aria-pressed=${item.key === this.selected ? "true" : "false"} ?disabled=${!isShown(item)}
                @click=${shielded(() => this.select(item))}>
                <canvas .item=${item} data-state=${isShown(item) ? "done" : ""} aria-hidden="true"></canvas>
                <span class="name" title=${item.name}>${place ? html`<span class="folder"><bdi>${item.name.slice(0, place)}</bdi></span>` : nothing}<bdi>${item.name.slice(place)}</bdi></span>
                <span class="state ${item.state === "failed" ? "bad" : ""}">${item.state}</span>
              </button>
              ${item.error ? html`<p class="error-text soft">${item.error}</p>` : nothing}
            </li>`;
          },
        )}
      </ul>`,
      this.strip,
    );
    for (const canvas of this.strip.querySelectorAll('canvas[data-state="done"]')) {
      if (canvas.drawn !== canvas.item.key) this.seen.observe(canvas); // it is reported once whether it is in sight
    }
  }
}
