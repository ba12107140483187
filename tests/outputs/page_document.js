"use strict";
// A document that is just enough for the script of a page of evidence: elements with children, texts and listeners.
const fs = require("node:fs");
class Element {
  constructor(name) {
    Object.assign(this, { name, children: [], listeners: {}, attributes: {}, dataset: {}, own: "" });
    this.style = { setProperty() {} };
    this.classList = { add() {} };
    if (name === "table") this.tBodies = [new Element("tbody")];
  }
  set textContent(text) { this.children = []; this.own = String(text); }
  get textContent() { return this.own + this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join(""); }
  set innerHTML(_) { throw new Error("markup from texts"); }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.own = ""; this.children = children; }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener(kind, listener) { this.listeners[kind] = listener; }
  querySelectorAll(name) { return this.children.flatMap((child) => (typeof child === "string" ? [] : [...(child.name === name ? [child] : []), ...child.querySelectorAll(name)])); }
  getBoundingClientRect() { return { left: 10, top: 20, width: 60, height: 40 }; }
  getContext() {
    return { createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }), putImageData() {}, fillRect() {} };
  }
}
const elements = {};
global.document = {
  createElement: (name) => new Element(name),
  getElementById: (id) => (elements[id] ??= new Element(id === "parts" ? "table" : "div")),
};
for (const name of ["evidence", "pictures"]) document.getElementById(name).textContent = fs.readFileSync(`${name}.json`, "utf8");
document.getElementById("opacity").value = "55";
/* the script of the page */
const stage = elements.stage.listeners;
const shown = () => ({
  title: elements["region-title"].textContent,
  rows: elements.parts.tBodies[0].children.map((row) => row.children.filter((_, place) => place !== 1).map((cell) => cell.textContent)),
  cards: elements.prototypes.children.map((card) => card.querySelectorAll("p")[0].textContent),
});
const answer = {
  legend: elements.legend.children.map((item) => item.textContent),
  swatches: elements.legend.querySelectorAll("span").filter((box) => box.className === "swatch").map((box) => box.style.background),
};
stage.pointermove({ clientX: 12, clientY: 25 });
answer.first = shown();
stage.click({ clientX: 12, clientY: 25 });
stage.pointermove({ clientX: 12, clientY: 55 });
answer.held = shown();
stage.keydown({ key: "Escape", preventDefault() {} });
stage.pointermove({ clientX: 12, clientY: 55 });
answer.second = shown();
console.log(JSON.stringify(answer));
