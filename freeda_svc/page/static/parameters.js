// The parameters of segmentation as a form: what differs from the pack's values is sent.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { at, getJson } from "./api.js";

export class ParameterForm {
  /** @param {HTMLElement} root @param {(count: number) => void} onChange called with how many differ */
  constructor(root, onChange) {
    this.root = root;
    this.onChange = onChange;
    this.changes = {};
    this.all = null;
  }

  /** Ask the server what there is, once. */
  async load() {
    if (this.all) return;
    this.all = (await getJson(at(["v1", "parameters"]))).parameters;
    this.#render();
  }

  reset() {
    this.changes = {};
    this.#render();
    this.onChange(0);
  }

  #set(parameter, value) {
    const same = value === undefined || JSON.stringify(value) === JSON.stringify(parameter.default);
    if (same) delete this.changes[parameter.name];
    else this.changes[parameter.name] = value;
    this.#render();
    this.onChange(Object.keys(this.changes).length);
  }

  /** Fields show what is sent: a value that could not be read is gone, and so is what was wrong with it. */
  #render() {
    for (const field of this.root.querySelectorAll("[aria-invalid=true]")) {
      field.setCustomValidity("");
      field.setAttribute("aria-invalid", "false");
    }
    render(
      html`<div class="parameters">
        ${this.all.map((parameter) => this.#row(parameter))}
        <p><button type="button" class="quiet" ?disabled=${!Object.keys(this.changes).length} @click=${() => this.reset()}>
          Use the pack's values
        </button></p>
      </div>`,
      this.root,
    );
  }

  #row(parameter) {
    const { name, description, unit } = parameter;
    return html`<div class="parameter">
      <label for="parameter-${name}">${name}${unit ? html` <span class="soft">(${unit})</span>` : null}</label>
      ${this.#field(parameter)}
      <span class="help" id="parameter-${name}-help">${description}</span>
    </div>`;
  }

  #field(parameter) {
    const { name, type, choices } = parameter;
    const value = this.changes[name] ?? parameter.default;
    const [id, help] = [`parameter-${name}`, `parameter-${name}-help`];
    if (type === "string" && choices) {
      return html`<select id=${id} aria-describedby=${help} @change=${(event) => this.#set(parameter, event.target.value)}>
        ${choices.map((choice) => html`<option value=${choice} .selected=${live(choice === value)}>${choice}</option>`)}
      </select>`;
    }
    if (type === "array" && choices) {
      const toggle = (choice, is) => choices.filter((one) => (one === choice ? is : value.includes(one)));
      return html`<span class="row" role="group" id=${id} aria-label=${name} aria-describedby=${help}>
        ${choices.map(
          (choice) => html`<label><input type="checkbox" .checked=${live(value.includes(choice))}
            @change=${(event) => this.#set(parameter, toggle(choice, event.target.checked))} />${choice}</label>`,
        )}
      </span>`;
    }
    const change = (event) => {
      const read = this.#read(parameter, event.target.value.trim());
      event.target.setCustomValidity(read.wrong ?? "");
      event.target.setAttribute("aria-invalid", read.wrong ? "true" : "false");
      if (read.wrong) event.target.reportValidity();
      else this.#set(parameter, read.value);
    };
    const numeric = type === "integer" || type === "number";
    return html`<input id=${id} inputmode=${numeric ? "decimal" : "text"} .value=${live(String(value))} @change=${change}
      aria-describedby=${help} spellcheck="false" autocomplete="off" />`;
  }

  #read(parameter, typed) {
    const { type, minimum, above, maximum, name, expected } = parameter;
    if (typed === "" && type !== "string") return { value: undefined };
    if (type === "string") return { value: typed };
    const numbers = (type === "array" ? typed.split(/[\s,]+/) : [typed]).map(Number);
    const inRange = (number) =>
      Number.isFinite(number) &&
      (type === "number" || Number.isInteger(number)) &&
      !(minimum !== null && number < minimum) &&
      !(above !== null && number <= above) &&
      !(maximum !== null && number > maximum);
    if (!numbers.every(inRange)) return { wrong: `${name} must be ${expected}` };
    return { value: type === "array" ? numbers : numbers[0] };
  }
}
