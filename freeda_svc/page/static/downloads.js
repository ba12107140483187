// The files of results: each format of one picture, or chosen ones of all as a zip.

import { html } from "./vendor/lit-html/lit-html.js";
import { at, download } from "./api.js";
import { shielded } from "./shell.js";

const ABOUT = {
  mask: "labels as an indexed PNG",
  overlay: "the picture under its colours, with a legend",
  summary: "scores and areas as JSON",
  "scores-png": "each pixel's score as a PNG of 16 bits",
  "scores-npz": "scores for NumPy",
  polygons: "outlines as GeoJSON",
  evidence: "evidence as JSON",
  "evidence-page": "evidence as a page",
};
const OF_ALL = {
  coco: "COCO",
  "label-studio": "Label Studio",
  yolo: "YOLO",
  voc: "Pascal VOC",
  index: "an overview page",
};
const CHOSEN = ["mask", "overlay", "summary"];

export class Downloads {
  constructor() {
    this.chosen = new Set(CHOSEN);
  }

  /**
   * Return the menu.
   * @param {string[]} jobs ids of the jobs whose pictures are shown
   * @param {{name: string, stem: string, files: Record<string, string>} | undefined} item the picture that is shown
   */
  view(jobs, item) {
    const explained = Boolean(item?.files.evidence);
    const formats = [...Object.keys(ABOUT).filter((name) => explained || !name.startsWith("evidence")), ...Object.keys(OF_ALL)];
    const choose = (name, is) => (is ? this.chosen.add(name) : this.chosen.delete(name));
    const zip = shielded(() => {
      const format = formats.filter((name) => this.chosen.has(name)).join(",") || CHOSEN.join(",");
      const [path, query] = jobs.length > 1 ? [["v1"], { job: jobs, format }] : [["v1", "jobs", jobs[0]], { format }];
      return download(at([...path, "results.zip"], query), `${jobs[0]}.zip`);
    });
    const close = (event) => {
      if (event.key !== "Escape") return;
      event.currentTarget.open = false;
      event.currentTarget.querySelector("summary").focus();
    };
    return html`<details class="downloads" @keydown=${close}>
      <summary class="button">Download ▾</summary>
      <div>
        ${item
          ? html`<h3><bdi>${item.name}</bdi></h3>
              <ul>
                ${Object.keys(ABOUT).filter((name) => item.files[name]).map(
                  (name) => html`<li>
                    <a href=${item.files[name]} download @click=${this.#save(item, name)}>${name}</a>
                    <span class="soft">${ABOUT[name]}</span>
                  </li>`,
                )}
              </ul>`
          : null}
        <h3>All pictures</h3>
        <ul>
          ${formats.map(
            (name) => html`<li><label>
              <input type="checkbox" .checked=${this.chosen.has(name)} @change=${(event) => choose(name, event.target.checked)} />${name}
              <span class="soft">${OF_ALL[name] ?? ""}</span>
            </label></li>`,
          )}
        </ul>
        <p class="buttons"><button type="button" class="main" @click=${zip}>Download as zip</button></p>
      </div>
    </details>`;
  }

  #save({ stem, files }, name) {
    return (event) => {
      event.preventDefault();
      const ending = files[name].split("/").pop().replace(/^\d+\./, "");
      return shielded(download)(files[name], `${stem.replaceAll("/", "-")}.${ending}`); // a/1 and b/1 stay apart
    };
  }
}
