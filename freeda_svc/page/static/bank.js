// The page of the bank: its nouns, their prototypes with masks, search; marking outliers, forgetting.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { at, getJson, newest, send } from "./api.js";
import { counted, sizeText } from "./pictures.js";
import { announce, bank, bringIntoSight, chooseBank, confirmed, element, shielded } from "./shell.js";
import { thumbnail } from "./thumbnails.js";

const [NOUNS, FOUND] = [100, 48];
const PAUSE_MS = 150;

let nouns = [];
let moreNouns = null;
let noun = null;
let found = null;
let moreFound = null;
let searched = "";

const [askedAbout, askedNouns, askedFound] = [newest(), newest(), newest()];
/** How many changes this page has made. */
let changes = 0;

/**
 * Ask for what is to be shown; again where a change was made while the answer was on its way, as it may not show that.
 * @returns {Promise<object | null>} null where something newer of the kind was asked for meanwhile
 */
async function read(asked, path) {
  const isNewest = asked();
  for (;;) {
    const before = changes;
    const answer = await getJson(path);
    if (!isNewest()) return null;
    if (before === changes) return answer;
  }
}

/** Make a change; where another tab or person was faster, show what is there by now. */
async function change(method, ...given) {
  try {
    return await send(method, ...given);
  } catch (error) {
    if (error.status === 404) shielded(again)();
    throw error;
  } finally {
    changes += 1;
  }
}

/** Say what came of something, to everybody. */
const say = (text) => (element("said").textContent = text);

const place = (...parts) => ["v1", "banks", bank, ...parts];

async function showAbout() {
  const about = await read(askedAbout, at(place()));
  if (!about) return;
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
  if (!count) return say("No prototype differs enough from the others of its noun.");
  if (!(await confirmed("Mark outliers?", text, "Mark them"))) return undefined;
  const { newly_marked: marked } = await change("POST", at(place("curation")), {});
  say(`${counted(marked, "prototype")} marked as outlier${marked === 1 ? "" : "s"}.`);
  return again();
}

async function uncurate() {
  const { unmarked } = await change("DELETE", at(place("curation")));
  say(`${counted(unmarked, "mark")} taken back; those that were made by hand stay.`);
  await again();
}

/** Show what is shown as it is by now. */
async function again() {
  await Promise.all([showAbout(), showNouns()]);
  if (noun) await openNoun(noun);
  else if (searched) await search(searched);
}

async function showNouns(after) {
  const prefix = element("prefix").value.trim().toLowerCase();
  const page = await read(askedNouns, at(place("nouns"), { prefix, limit: NOUNS, after }));
  if (!page) return;
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

/** Ask for prototypes; what they answer is shown unless something else was asked since. */
async function find(path, query, isMore = false) {
  const page = await read(askedFound, at(path, { ...query, limit: FOUND, ...(isMore && { after: moreFound }) }));
  if (!page) return false;
  [found, moreFound] = [isMore ? [...found, ...page.items] : page.items, page.next ?? null];
  renderFound();
  return true;
}

async function openNoun(name, isAsked = false) {
  if (isAsked) say("");
  [noun, searched] = [name, ""];
  if (isAsked) visit({ noun: name });
  renderNouns();
  if (!(await find(place("prototypes"), { noun: name })) || !isAsked) return;
  announce(`${counted(found.length, "prototype")} of ${name}`);
  bringIntoSight(element("found-title"));
}

const moreOfNoun = () => find(place("prototypes"), { noun }, true);

async function search(text, isAsked = false) {
  if (isAsked) say("");
  [noun, searched] = [null, text];
  if (isAsked) visit({ text });
  renderNouns();
  if ((await find(place("search"), { text })) && isAsked) announce(`${counted(found.length, "prototype")} near ${text}`);
}

/** Let the address name what is looked at; going back leads to what was looked at before. */
function visit(query) {
  const address = at(["bank"], query);
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
}

/** Show what the address names. */
async function showAddressed() {
  const asked = new URLSearchParams(location.search);
  element("text").value = asked.get("text") ?? "";
  if (asked.get("noun")) return openNoun(asked.get("noun"));
  if (asked.get("text")) return search(asked.get("text"));
  return showNone();
}

function showNone() {
  askedFound();
  [noun, searched, found, moreFound] = [null, "", null, null];
  renderFound();
  renderNouns();
}

async function mark(prototype, outlier) {
  const path = at(place("prototypes", prototype.id, "outlier"));
  const { outlier: reason } = outlier ? await change("PUT", path, {}) : await change("DELETE", path);
  found = found?.map((one) => (one.id === prototype.id ? { ...one, outlier: reason } : one));
  renderFound();
  say(outlier ? "Marked as an outlier: it is not used any more." : "It is used again.");
  await showAbout();
}

async function forgetOne(prototype) {
  const text = `One prototype of “${prototype.noun}” is removed for good; marking it as an outlier only leaves it out.`;
  if (!(await confirmed("Forget this prototype?", text, "Forget"))) return;
  await change("DELETE", at(place("prototypes", prototype.id)));
  await afterForgetting();
}

async function forgetNoun() {
  const name = noun;
  const { found: count } = await send("POST", at(place("forget")), { noun: name, dry_run: true });
  const text = `${counted(count, "prototype")} of “${name}” ${count === 1 ? "is" : "are"} removed for good.`;
  if (!(await confirmed(`Forget “${name}”?`, text, "Forget all"))) return;
  await change("POST", at(place("forget")), { noun: name });
  await afterForgetting();
}

async function afterForgetting() {
  await Promise.all([showAbout(), showNouns()]);
  if (searched) return search(searched);
  const isLeft = noun && (!(await find(place("prototypes"), { noun })) || found.length);
  if (isLeft) return undefined;
  history.replaceState(null, "", "/bank");
  showNone();
  return say("Forgotten.");
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
      ? html`${noun && found.length
            ? html`<p class="buttons">
                <a class="button" href=${at(["teach"], { noun })}>Teach more</a>
                <button type="button" class="danger" @click=${shielded(forgetNoun)}>Forget this noun</button>
              </p>`
            : nothing}
          ${found.length ? nothing : html`<div class="empty"><p>The bank has no such prototype.</p></div>`}
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
  const text = element("text").value.trim();
  if (text) shielded(search)(text, true);
});

async function start() {
  renderFound();
  await chooseBank();
  if (!bank) {
    render(html`<div class="empty"><p>There is no bank yet. <a href="/teach">Teach</a> it something.</p></div>`, element("about"));
    return;
  }
  await Promise.all([showAbout(), showNouns()]);
  addEventListener("popstate", shielded(showAddressed));
  await showAddressed();
}

shielded(start)();
