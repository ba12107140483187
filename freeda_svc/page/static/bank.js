// The page of the bank: its nouns, their prototypes with masks, search; marking outliers, forgetting.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { at, getJson, send } from "./api.js";
import { counted, sizeText } from "./pictures.js";
import { announce, bank, chooseBank, confirmed, element, shielded } from "./shell.js";
import { thumbnail } from "./thumbnails.js";

const [NOUNS, FOUND] = [100, 48];
const PAUSE_MS = 150;

let nouns = [];
let moreNouns = null;
let noun = null;
let found = null;
let moreFound = null;
let searched = "";

const place = (...parts) => ["v1", "banks", bank, ...parts];

async function showAbout() {
  const about = await getJson(at(place()));
  const facts = {
    bank: about.bank,
    prototypes: about.prototypes.toLocaleString("en"),
    nouns: about.nouns.toLocaleString("en"),
    captions: about.captions.toLocaleString("en"),
    outliers: about.outliers.toLocaleString("en"),
    ...(about.bytes_on_disk && { "on disk": sizeText(about.bytes_on_disk) }),
  };
  render(
    html`<dl class="facts">${Object.entries(facts).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      <p class="buttons">
        <button type="button" class="quiet" @click=${shielded(curate)}>Find outliers</button>
        ${about.outliers ? html`<button type="button" class="quiet" @click=${shielded(uncurate)}>Use those that were found again</button>` : nothing}
      </p>`,
    element("about"),
  );
}

/** Mark the prototypes of each noun that differ most from its others, after saying how many. */
async function curate() {
  const { found: count, assessed } = await send("POST", at(place("curation")), { dry_run: true });
  const text = `${count} of the ${counted(assessed, "prototype")} that can be compared differ most from the others of their noun. They stay in the bank, but are not used.`;
  if (!count) return announce("No prototype differs enough from the others of its noun");
  if (!(await confirmed("Mark outliers?", text, "Mark them"))) return undefined;
  await send("POST", at(place("curation")), {});
  return again();
}

async function uncurate() {
  const { unmarked } = await send("DELETE", at(place("curation")));
  announce(`${counted(unmarked, "mark")} taken back; those that were made by hand stay`);
  await again();
}

/** Show what is shown as it is by now. */
async function again() {
  await showAbout();
  if (noun) await openNoun(noun);
  else if (searched) await search();
}

async function showNouns(after) {
  const prefix = element("prefix").value.trim().toLowerCase();
  const page = await getJson(at(place("nouns"), { prefix, limit: NOUNS, after }));
  if (prefix !== element("prefix").value.trim().toLowerCase()) return;
  nouns = after ? [...nouns, ...page.items] : page.items;
  moreNouns = page.next;
  renderNouns();
}

function renderNouns() {
  render(
    nouns.length
      ? html`<ul class="nouns" tabindex="-1">
            ${repeat(nouns, (one) => one.noun, (one) => html`<li>
              <button type="button" aria-pressed=${one.noun === noun ? "true" : "false"} @click=${() => shielded(openNoun)(one.noun, true)}>
                <bdi>${one.noun}</bdi><span class="soft number">${one.prototypes.toLocaleString("en")}</span>
              </button>
            </li>`)}
          </ul>
          ${moreNouns ? html`<p class="buttons"><button type="button" class="quiet" @click=${shielded(() => showNouns(moreNouns))}>More nouns</button></p>` : nothing}`
      : html`<div class="empty"><p>${element("prefix").value ? "No noun begins like that." : "The bank is empty."}</p>
          ${element("prefix").value ? nothing : html`<p><a href="/teach">Teach</a> it something.</p>`}</div>`,
    element("nouns"),
  );
}

async function openNoun(name, isAsked = false) {
  [noun, searched] = [name, ""];
  history.replaceState(null, "", at(["bank"], { noun: name }));
  renderNouns();
  const page = await getJson(at(place("prototypes"), { noun: name, limit: FOUND }));
  if (noun !== name) return;
  [found, moreFound] = [page.items, page.next];
  renderFound();
  if (isAsked) announce(`${counted(found.length, "prototype")} of ${name}`);
}

async function moreOfNoun() {
  const page = await getJson(at(place("prototypes"), { noun, limit: FOUND, after: moreFound }));
  [found, moreFound] = [[...found, ...page.items], page.next];
  renderFound();
}

async function search() {
  const text = element("text").value.trim();
  if (!text) return;
  [noun, searched] = [null, text];
  const page = await getJson(at(place("search"), { text, limit: FOUND }));
  [found, moreFound] = [page.items, null];
  renderNouns();
  renderFound();
  announce(`${counted(found.length, "prototype")} near ${text}`);
}

async function mark(prototype, outlier) {
  const path = at(place("prototypes", prototype.id, "outlier"));
  const { outlier: reason } = outlier ? await send("PUT", path, {}) : await send("DELETE", path);
  found = found.map((one) => (one.id === prototype.id ? { ...one, outlier: reason } : one));
  renderFound();
  announce(outlier ? "Marked as an outlier: it is not used any more" : "Used again");
  await showAbout();
}

async function forgetOne(prototype) {
  const text = `One prototype of “${prototype.noun}” is removed for good; marking it as an outlier only leaves it out.`;
  if (!(await confirmed("Forget this prototype?", text, "Forget"))) return;
  await send("DELETE", at(place("prototypes", prototype.id)));
  await afterForgetting();
}

async function forgetNoun() {
  const { found: count } = await send("POST", at(place("forget")), { noun, dry_run: true });
  const text = `${counted(count, "prototype")} of “${noun}” ${count === 1 ? "is" : "are"} removed for good.`;
  if (!(await confirmed(`Forget “${noun}”?`, text, "Forget all"))) return;
  await send("POST", at(place("forget")), { noun });
  await afterForgetting();
}

async function afterForgetting() {
  await Promise.all([showAbout(), showNouns()]);
  if (searched) return search();
  if (nouns.some((one) => one.noun === noun)) return openNoun(noun);
  [noun, found] = [null, null];
  history.replaceState(null, "", "/bank");
  renderFound();
  renderNouns();
  return announce("Forgotten");
}

function card(prototype) {
  const { id, noun: name, caption, origin, outlier, score } = prototype;
  return html`<li class=${outlier ? "outlier" : ""}>
    ${thumbnail(bank, id, `${name}: ${caption ?? ""}`)}
    <b><bdi>${name}</bdi></b> ${score === undefined ? nothing : html`<span class="soft number">${score.toFixed(3)}</span>`}
    <div class="soft"><bdi>${caption}</bdi></div>
    ${origin && origin !== "generated" ? html`<div class="soft">${origin}</div>` : nothing}
    ${outlier ? html`<div class="error-text">outlier: <bdi>${outlier}</bdi></div>` : nothing}
    <div class="buttons">
      <button type="button" class="quiet" aria-label=${outlier ? `Use this prototype of ${name} again` : `Mark this prototype of ${name} as an outlier`}
        @click=${shielded(() => mark(prototype, !outlier))}>${outlier ? "Use again" : "Mark outlier"}</button>
      <button type="button" class="quiet" aria-label="Forget this prototype of ${name}" @click=${shielded(() => forgetOne(prototype))}>Forget</button>
    </div>
  </li>`;
}

function renderFound() {
  element("found-title").classList.toggle("unseen", !found);
  element("found-title").textContent = searched ? `Near “${searched}”` : (noun ?? "Prototypes");
  render(
    found
      ? html`${noun
            ? html`<p class="buttons">
                <a class="button" href=${at(["teach"], { noun })}>Teach more</a>
                <button type="button" class="danger" @click=${shielded(forgetNoun)}>Forget this noun</button>
              </p>`
            : nothing}
          <ul class="prototypes">${repeat(found, (one) => one.id, card)}</ul>
          ${moreFound ? html`<p class="buttons"><button type="button" @click=${shielded(moreOfNoun)}>More prototypes</button></p>` : nothing}`
      : html`<div class="empty"><p>Choose a noun, or search, to see what it was learnt from: the pictures, and beside each the part that counts.</p></div>`,
    element("found"),
  );
}

let timer;
element("prefix").addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(shielded(() => showNouns()), PAUSE_MS);
});
element("search").addEventListener("submit", (event) => {
  event.preventDefault();
  shielded(search)();
});

async function start() {
  renderFound();
  await chooseBank();
  if (!bank) {
    render(html`<div class="empty"><p>There is no bank yet. <a href="/teach">Teach</a> it something.</p></div>`, element("about"));
    return;
  }
  await Promise.all([showAbout(), showNouns()]);
  const asked = new URLSearchParams(location.search).get("noun");
  if (asked) await openNoun(asked);
}

shielded(start)();
