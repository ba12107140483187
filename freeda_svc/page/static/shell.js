// What every page has: the worker's state, the bank that is meant, the key, problems, questions.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { at, getJson, isPassing, key, onKeyNeeded, Problem } from "./api.js";

const BANK = "freeda-bank";
const HEALTH_SECONDS = 10;
const KEPT_SECONDS = 10;

/** An event of the window: a worker is there again after it was away. */
export const READY_AGAIN = "freeda-ready-again";

export const element = (id) => document.getElementById(id);

/** Say something to people with a screen reader. */
export function announce(text) {
  element("announcements").textContent = text;
}

let shown = [];

/** Show an error until it is closed; one that is shown already is not shown twice. */
export function showProblem(error) {
  if (error?.name === "AbortError") return;
  if (!(error instanceof Problem)) console.error(error);
  const text = error instanceof Error ? error.message : String(error);
  if (shown.some((one) => one.text === text)) return;
  shown = [...shown, { text, isPassing: isPassing(error) }].slice(-3);
  renderProblems();
}

export function clearProblems() {
  shown = [];
  renderProblems();
}

function renderProblems() {
  const close = (problem) => {
    shown = shown.filter((one) => one !== problem);
    renderProblems();
  };
  render(
    shown.map(
      (problem) => html`<div>
        <p>${problem.text}</p>
        <button type="button" class="icon-button" aria-label="Close message" @click=${() => close(problem)}>✕</button>
      </div>`,
    ),
    element("problem"),
  );
}

addEventListener(READY_AGAIN, () => {
  shown = shown.filter((one) => !one.isPassing);
  renderProblems();
});

/** Run what an event asks for; errors are shown. */
export const shielded =
  (action) =>
  async (...given) => {
    try {
      return await action(...given);
    } catch (error) {
      showProblem(error);
    }
  };

/** Ask before something that cannot be undone; true when it is to be done. */
export async function confirmed(title, text, yes) {
  const dialog = element("question");
  element("question-title").textContent = title;
  element("question-text").textContent = text;
  element("question-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}

let asking = null;
/** Whether the dialog was closed without a key: it does not come back by itself. */
let isDeclined = false;

/** Ask for a key, once for all who need one; resolves to true when another was entered. */
function askForKey(why = "") {
  asking ??= new Promise((resolve) => {
    const dialog = element("key-dialog");
    element("key").value = "";
    element("key-why").textContent = why;
    dialog.returnValue = "cancel";
    dialog.addEventListener("close", () => resolve(takeKey(dialog.returnValue)), { once: true });
    dialog.showModal();
  }).finally(() => (asking = null));
  return asking;
}

/** Do what the dialog was closed with. */
function takeKey(choice) {
  const given = element("key").value.trim();
  element("key").value = "";
  isDeclined = choice === "cancel" || (choice === "use" && !given);
  if (isDeclined) return false;
  key.set(choice === "use" ? given : "");
  showKey();
  return choice === "use";
}

function showKey() {
  const button = element("key-button");
  button.classList.toggle("quiet", !key.get());
  button.textContent = key.get() ? "Key ✓" : "Key";
  if (key.get()) button.setAttribute("aria-label", "Key: one is in use");
  else button.removeAttribute("aria-label");
}

function prepareKey() {
  element("key-button").addEventListener("click", async () => {
    const before = key.get();
    await askForKey();
    if (key.get() !== before) location.reload(); // with what the new key may see
  });
  showKey();
  document.addEventListener("click", () => (isDeclined = false), { capture: true }); // it is asked for what is done now
  onKeyNeeded((why) => (isDeclined ? false : askForKey(why)));
}

const unsaved = [];

/** Let the browser ask before the page is left while something would be lost. */
export const askBeforeLeaving = (isUnsaved) => unsaved.push(isUnsaved);
addEventListener("beforeunload", (event) => unsaved.some((isUnsaved) => isUnsaved()) && event.preventDefault());

async function watchWorker() {
  const place = element("worker");
  let last;
  for (;;) {
    let [state, title] = ["ready", ""];
    try {
      await getJson("/health/ready");
    } catch (error) {
      [state, title] = [error.status ? "no worker" : "no server", error.message];
    }
    if (`${state} ${title}` !== last) {
      if (last && state === "ready") dispatchEvent(new Event(READY_AGAIN));
      last = `${state} ${title}`;
      place.textContent = state;
      place.title = title;
      place.className = state === "ready" ? "good" : "bad";
    }
    await new Promise((resolve) => setTimeout(resolve, HEALTH_SECONDS * 1000));
    while (document.hidden) await new Promise((r) => document.addEventListener("visibilitychange", r, { once: true }));
  }
}

/** The name of the bank that is meant. */
export let bank = "";

let whenBankIsKnown;
/** Resolves when ``bank`` is set: what is typed before has to wait for it. */
export const bankKnown = new Promise((resolve) => (whenBankIsKnown = resolve));

/**
 * Offer the choice of a bank where there are several.
 * @returns {Promise<object[]>} the banks, one entry a version
 */
export async function chooseBank() {
  const asked = [getJson(at(["v1", "parameters"])), getJson(at(["v1", "banks"]))];
  const [parameters, banks] = await Promise.allSettled(asked);
  const meant = parameters.value?.bank ?? "";
  const remembered = sessionStorage.getItem(BANK);
  bank = remembered ?? meant; // the worker, who knows the banks, may be away
  whenBankIsKnown();
  for (const { reason } of [parameters, banks]) if (reason) throw reason;
  const { items } = banks.value;
  const names = items.map((one) => one.bank);
  const usual = [meant, items.find((one) => one.current && one.bank.startsWith(`${meant}@`))?.bank, names[0], ""].find(
    (one) => one === "" || names.includes(one),
  );
  bank = names.includes(remembered) ? remembered : usual;
  const choose = (event) => {
    sessionStorage.setItem(BANK, event.target.value);
    location.reload();
  };
  render(
    names.length > 1
      ? html`<label>Bank <select @change=${choose}>
          ${names.map((name) => html`<option .selected=${name === bank}>${name}</option>`)}
        </select></label>`
      : null,
    element("bank-choice"),
  );
  return items;
}

/** How to scroll: not smoothly for people whom that makes sick. */
export const scrolling = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

let keeping = new AbortController();

/**
 * Show on a narrow screen what lies below what was just pressed; beside it on a wide one. It is kept in sight while what
 * is above grows, until the person goes on.
 */
export function bringIntoSight(place) {
  keeping.abort();
  if (!matchMedia("(max-width: 60rem)").matches) return;
  const kept = (keeping = new AbortController());
  const { signal } = kept;
  const scroll = () => place.scrollIntoView({ behavior: scrolling() });
  const resized = new ResizeObserver(scroll);
  signal.addEventListener("abort", () => resized.disconnect());
  for (const kind of ["pointerdown", "wheel", "keydown"]) {
    addEventListener(kind, () => kept.abort(), { signal, capture: true, passive: true });
  }
  setTimeout(() => kept.abort(), KEPT_SECONDS * 1000);
  scroll();
  resized.observe(document.body);
}

// a file that is dropped beside its place would be opened in place of the page
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => [...event.dataTransfer.types].includes("Files") && event.preventDefault());
}
prepareKey();
watchWorker();
