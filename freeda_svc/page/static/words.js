// Typing words, with completion from the bank's nouns, and what the bank knows of each.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { at, getJson } from "./api.js";
import { announce, bank, bankKnown, READY_AGAIN, showProblem } from "./shell.js";
import { counted } from "./pictures.js";

const PAUSE_MS = 150;
const SHOWN = 8;
const NEAREST = 3;

/** Return some of the bank's nouns that begin with a text: {noun, prototypes}. */
export async function nounsLike(prefix, limit, signal) {
  return (await getJson(at(["v1", "banks", bank, "nouns"], { prefix, limit }), { signal })).items;
}

const folded = (text) => text.trim().replace(/\s+/g, " ").toLowerCase();

/** Return what the bank knows of a word: {prototypes, nearest}. */
async function knowledgeOf(text) {
  const { items } = await getJson(at(["v1", "banks", bank, "words"], { text }));
  return items[0];
}

const known = new Map();

function ask(text) {
  const name = `${bank} ${folded(text)}`;
  if (!known.has(name)) {
    const asked = knowledgeOf(text);
    known.set(name, asked);
    asked.catch(() => known.get(name) === asked && known.delete(name));
  }
  return known.get(name);
}

/** What is known may have changed: the bank has learnt. */
export const forgetKnown = () => known.clear();

/** Say what the bank knows of a category's texts: {text, isNone}. */
export async function noteOf(category) {
  const texts = category.split("|").map((one) => one.trim()).filter(Boolean);
  const notes = await Promise.all(texts.map(ask));
  const sentences = notes.map(({ prototypes, nearest }, n) => {
    const before = texts.length > 1 ? `${texts[n]}: ` : "";
    if (prototypes) return `${before}${counted(prototypes, "prototype")}`;
    const others = nearest.slice(0, NEAREST).map((one) => one.noun);
    return `${before}none${others.length ? `; nearest: ${others.join(", ")}` : ""}`;
  });
  return { text: sentences.join(" · "), isNone: notes.some((note) => !note.prototypes) };
}

/** A field that completes a noun of the bank; Enter, a comma or a choice from the list takes it. */
export class NounField {
  /**
   * @param {HTMLElement} root
   * @param {{id: string, label: string, hint?: string, onTake: (text: string) => void, keeps?: boolean,
   *   onType?: (text: string) => void}} options keeps: the text stays in the field when it is taken
   */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.found = [];
    this.active = -1;
    this.#render();
  }

  get input() {
    return this.root.querySelector("input");
  }

  get value() {
    return this.input.value;
  }

  set value(text) {
    this.input.value = text;
  }

  #last() {
    return this.input.value.split("|").pop().trim();
  }

  #typed() {
    const { input, options } = this;
    options.onType?.(input.value);
    if (!options.keeps && /[,\n;]/.test(input.value)) {
      const parts = input.value.split(/[,\n;]/);
      parts.slice(0, -1).forEach((part) => this.#take(part, false));
      input.value = parts.at(-1).trimStart();
    }
    clearTimeout(this.timer);
    this.asked?.abort();
    this.timer = setTimeout(() => this.#complete(), PAUSE_MS);
  }

  async #complete() {
    const prefix = folded(this.#last());
    const { signal } = (this.asked = new AbortController());
    try {
      await bankKnown;
      this.found = prefix && bank ? await nounsLike(prefix, SHOWN, signal) : [];
      this.found = this.found.filter((one) => folded(one.noun) !== prefix);
      this.active = -1;
      if (this.found.length) announce(`${counted(this.found.length, "noun")} of the bank: arrow down to choose`);
    } catch (error) {
      this.found = [];
      if (error.name !== "AbortError") showProblem(error);
    }
    this.#render();
  }

  #take(text, focus = true) {
    this.#close();
    if (text.trim()) this.options.onTake(text.trim().replace(/\s+/g, " "));
    if (!this.options.keeps) this.input.value = "";
    if (focus) this.input.focus();
  }

  #choose(noun) {
    const before = this.input.value.split("|").slice(0, -1).map((one) => one.trim());
    const whole = [...before, noun].join("|");
    this.input.value = whole;
    this.options.onType?.(whole);
    this.#take(whole);
  }

  #close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.found = [];
    this.active = -1;
    this.#render();
  }

  #key(event) {
    const { found } = this;
    if (event.isComposing) return;
    if (event.key === "ArrowDown" && found.length) this.active = (this.active + 1) % found.length;
    else if (event.key === "ArrowUp" && found.length) this.active = (this.active - 1 + found.length) % found.length;
    else if (event.key === "Escape" && found.length) this.#close();
    else if (event.key === "Enter") {
      if (this.active >= 0) this.#choose(found[this.active].noun);
      else if (this.input.value.trim()) this.#take(this.input.value);
      else return; // an empty field: the form is sent
    } else return;
    event.preventDefault();
    this.#render();
  }

  #render() {
    const { options, found, active } = this;
    const list = `${options.id}-nouns`;
    render(
      html`<label class="block" for=${options.id}>${options.label}</label>
        <div class="combo">
          <input
            id=${options.id}
            role="combobox"
            autocomplete="off"
            autocapitalize="none"
            aria-autocomplete="list"
            aria-expanded=${found.length ? "true" : "false"}
            aria-controls=${list}
            aria-activedescendant=${active < 0 ? "" : `${list}-${active}`}
            aria-describedby=${options.hint ? `${options.id}-hint` : ""}
            maxlength="500"
            enterkeyhint="enter"
            @input=${() => this.#typed()}
            @keydown=${(event) => this.#key(event)}
            @blur=${() => this.#close()}
          />
          <ul id=${list} role="listbox" aria-label="Nouns of the bank" ?hidden=${!found.length}>
            ${found.map(
              ({ noun, prototypes }, n) => html`<li
                id="${list}-${n}"
                role="option"
                aria-selected=${n === active ? "true" : "false"}
                @pointerdown=${(event) => {
                  event.preventDefault();
                  this.#choose(noun);
                }}
              >
                <bdi>${noun}</bdi><span class="soft number">${prototypes.toLocaleString("en")}</span>
              </li>`,
            )}
          </ul>
        </div>
        ${options.hint ? html`<span class="soft" id="${options.id}-hint">${options.hint}</span>` : null}`,
      this.root,
    );
  }
}

/** A list of words, each with what the bank knows of it. */
export class Words {
  /** @param {HTMLElement} root @param {{id: string, label: string, hint: string, onChange: () => void}} options */
  constructor(root, options) {
    this.entries = [];
    this.onChange = options.onChange;
    const [field, list] = [document.createElement("div"), document.createElement("div")];
    root.append(field, list);
    this.list = list;
    this.label = options.label;
    this.field = new NounField(field, { ...options, onTake: (text) => this.add(text), onType: () => this.onChange() });
    addEventListener(READY_AGAIN, () => this.askAgain());
    this.#render();
  }

  /** Ask again what the bank knows of the words. */
  askAgain() {
    forgetKnown();
    for (const entry of this.entries) this.#note(entry, false);
  }

  /** The words, with what is typed and not taken yet. */
  get texts() {
    const pending = this.field.value.trim();
    const texts = this.entries.map((entry) => entry.text);
    return pending && !texts.includes(pending) ? [...texts, pending] : texts;
  }

  add(...texts) {
    for (const text of texts) {
      if (this.entries.some((entry) => folded(entry.text) === folded(text))) continue;
      const entry = { text, note: "…", isNone: false };
      this.entries = [...this.entries, entry];
      this.#note(entry);
    }
    this.#changed();
  }

  remove(entry) {
    const place = this.entries.indexOf(entry);
    this.entries = this.entries.filter((one) => one !== entry);
    this.#changed();
    const buttons = this.list.querySelectorAll("button");
    (buttons[Math.min(place, buttons.length - 1)] ?? this.field.input).focus();
  }

  /** Take what is typed as a word. */
  take() {
    const pending = this.field.value.trim();
    this.field.value = "";
    if (pending) this.add(pending);
  }

  async #note(entry, isNew = true) {
    const asked = (entry.asked = Symbol(entry.text));
    try {
      await bankKnown;
      const { text, isNone } = bank ? await noteOf(entry.text) : { text: "there is no bank yet", isNone: true };
      if (entry.asked !== asked) return;
      Object.assign(entry, { note: text, isNone });
    } catch (error) {
      if (entry.asked !== asked) return;
      Object.assign(entry, { note: error.message, isNone: true });
    }
    if (isNew && this.entries.includes(entry)) announce(`${entry.text}: ${entry.note}`);
    this.#render();
  }

  #changed() {
    this.#render();
    this.onChange();
  }

  #render() {
    render(
      html`<ul class="words" aria-label=${this.label}>
        ${repeat(
          this.entries,
          (entry) => entry,
          (entry) => html`<li>
            <span class="about"><bdi>${entry.text.split("|").join(" | ")}</bdi>
              <span class="note ${entry.isNone ? "none" : ""}">${entry.note}</span></span>
            <button type="button" class="icon-button" aria-label="Remove ${entry.text}" @click=${() => this.remove(entry)}>✕</button>
          </li>`,
        )}
      </ul>`,
      this.list,
    );
  }
}
