// What every page has: the worker's state, the bank that is meant, the key, problems, questions.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { at, getJson, key, onKeyNeeded, Problem } from "./api.js";

const BANK = "freeda-bank";
const HEALTH_SECONDS = 10;

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
  if (error.status === 401 || shown.includes(text)) return; // the dialog asks for the key
  shown = [...shown, text].slice(-3);
  renderProblems();
}

export function clearProblems() {
  shown = [];
  renderProblems();
}

function renderProblems() {
  const close = (text) => {
    shown = shown.filter((one) => one !== text);
    renderProblems();
  };
  render(
    shown.map(
      (text) => html`<div>
        <p>${text}</p>
        <button type="button" class="icon-button" aria-label="Close message" @click=${() => close(text)}>✕</button>
      </div>`,
    ),
    element("problem"),
  );
}

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

function askForKey(why) {
  const dialog = element("key-dialog");
  if (dialog.open) return;
  element("key").value = "";
  element("key-why").textContent = why ?? "";
  dialog.returnValue = "cancel";
  dialog.showModal();
}

function prepareKey() {
  const dialog = element("key-dialog");
  element("key-button").addEventListener("click", () => askForKey());
  dialog.addEventListener("close", () => {
    const given = element("key").value.trim();
    if (dialog.returnValue === "cancel" || (dialog.returnValue === "use" && !given)) return;
    key.set(dialog.returnValue === "use" ? given : "");
    location.reload();
  });
  element("key-button").classList.toggle("quiet", !key.get());
  element("key-button").textContent = key.get() ? "Key ✓" : "Key";
  if (key.get()) element("key-button").setAttribute("aria-label", "Key: one is in use");
  onKeyNeeded(askForKey);
}

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

/**
 * Offer the choice of a bank where there are several.
 * @returns {Promise<object[]>} the banks, one entry a version
 */
export async function chooseBank() {
  const [{ items }, { bank: meant }] = await Promise.all([getJson(at(["v1", "banks"])), getJson(at(["v1", "parameters"]))]);
  const names = items.map((one) => one.bank);
  const remembered = sessionStorage.getItem(BANK);
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

// a file that is dropped beside its place would be opened in place of the page
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => [...event.dataTransfer.types].includes("Files") && event.preventDefault());
}
prepareKey();
watchWorker();
