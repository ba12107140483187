// Why a region got its word: scores of its best categories, and the prototypes that agree with it.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { thumbnail } from "./thumbnails.js";

const PROTOTYPES = 4;

export class EvidenceOfPicture {
  /** @param {object} evidence as the service writes it @param {string} bank whose prototypes it names */
  constructor(evidence, bank) {
    this.evidence = evidence;
    this.bank = evidence.bank || bank;
    const { height, width, runs } = evidence.map;
    this.map = new Int32Array(height * width);
    for (let run = 0, place = 0; run < runs.length; run += 2) {
      this.map.fill(runs[run], place, place + runs[run + 1]);
      place += runs[run + 1];
    }
  }

  /** Return the scores of the best categories where a place of the picture is. */
  regionView({ row, column }, { width, height }) {
    const { map, regions, names } = this.evidence;
    const down = Math.floor(((row + 0.5) * map.height) / height);
    const right = Math.floor(((column + 0.5) * map.width) / width);
    const region = this.map[down * map.width + right];
    const rows = regions.categories[region].map((label, n) => ({
      name: names[label],
      score: regions.score[region][n],
      local: regions.local[region][n],
      global: regions.global[region][n],
      support: regions.support?.[region][n],
    }));
    const number = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
    return html`<table>
      <thead><tr><th scope="col">best here</th><th scope="col">score</th><th scope="col"><span class="unseen">as a bar</span></th>
        <th scope="col">local</th><th scope="col">global</th>
        ${regions.support ? html`<th scope="col">support</th>` : nothing}</tr></thead>
      <tbody>
        ${rows.map(
          ({ name, score, local, global, support }) => html`<tr>
            <th scope="row"><bdi>${name}</bdi></th><td>${number(score)}</td>
            <td><meter min="0" max="1" value=${Math.max(0, Math.min(1, score))} aria-hidden="true"></meter></td>
            <td>${number(local)}</td><td>${number(global)}</td>
            ${regions.support ? html`<td>${number(support)}</td>` : nothing}
          </tr>`,
        )}
      </tbody>
    </table>`;
  }

  /** Return the prototypes that agree most with a category. */
  prototypesView(label) {
    const category = this.evidence.categories.find((one) => one.index === label) ?? this.evidence.categories[0];
    if (!category) return nothing;
    return html`<h3>What speaks for <bdi>${category.name}</bdi></h3>
      <ul class="evidence">
        ${category.prototypes.slice(0, PROTOTYPES).map(
          (one) => html`<li>${thumbnail(this.bank, one.id, one.caption)}<bdi>${one.noun}</bdi>
            <span class="soft number">agreement ${one.agreement.toFixed(2)}</span></li>`,
        )}
      </ul>`;
  }
}
