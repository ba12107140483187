// The page of jobs: a list that follows what happens, and one job in detail.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { at, download, followJob, getJson, newest, patiently, send } from "./api.js";
import { counted } from "./pictures.js";
import { announce, confirmed, element, shielded, showProblem } from "./shell.js";

const ENDED = ["done", "failed", "partly failed", "cancelled"];
const PAGE = 25;
const [LOOK_MS, LOOK_AT_OPEN_MS] = [10_000, 1500];
const KINDS = { segment: "segment", ingest: "captions", exemplars: "exemplars", export: "export", import: "import" };

const isOpen = (job) => !ENDED.includes(job.state);
const stateClass = (state) => `state-${state.replace(" ", "-")}`;

function ago(moment) {
  const seconds = (Date.now() - new Date(moment)) / 1000;
  const [unit, size] = [["day", 86_400], ["hour", 3600], ["minute", 60]].find(([, one]) => seconds >= one) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(Math.max(0, seconds) / size), unit);
}

function left(seconds) {
  if (seconds === null) return "";
  const [unit, size] = [["h", 3600], ["min", 60]].find(([, one]) => seconds >= one) ?? ["s", 1];
  return `about ${Math.ceil(seconds / size)} ${unit} left`;
}

const time = (moment) => html`<time datetime=${moment} title=${new Date(moment).toLocaleString()}>${ago(moment)}</time>`;

function progressOf({ progress, state, kind }) {
  const { units, failed } = progress;
  const text = `${units.done.toLocaleString("en")} of ${counted(units.total, units.name.replace(/s$/, ""))}`;
  return html`${isOpen({ state })
      ? html`<progress max=${progress.total} value=${progress.total - progress.queued - progress.running}
          aria-label="Progress of this ${KINDS[kind] ?? kind} job"></progress>`
      : nothing}
    <span class="number">${text}${failed ? `, ${failed} failed` : ""}</span>
    <span class="soft">${isOpen({ state }) ? left(progress.seconds_left) : ""}</span>`;
}

let jobs = [];
let next = null;
let timer;
const asked = newest();

const query = () => Object.fromEntries(new FormData(element("filter")));

/** Ask for the newest jobs; further pages that were asked for stay as they were. */
async function look() {
  clearTimeout(timer);
  const isNewest = asked();
  try {
    const page = await getJson(at(["v1", "jobs"], { ...query(), limit: PAGE }));
    if (!isNewest()) return;
    const ids = new Set(page.items.map((job) => job.id));
    const last = page.items.at(-1)?.created_at ?? "";
    const older = jobs.filter((job) => !ids.has(job.id) && job.created_at < last);
    if (!older.length) next = page.next;
    jobs = [...page.items, ...older];
    renderList();
  } finally {
    clearTimeout(timer);
    timer = setTimeout(shielded(whileSeen), jobs.some(isOpen) ? LOOK_AT_OPEN_MS : LOOK_MS);
  }
}

const whileSeen = () => (document.hidden ? undefined : look());
document.addEventListener("visibilitychange", shielded(whileSeen));

async function more() {
  const wanted = JSON.stringify(query());
  const page = await getJson(at(["v1", "jobs"], { ...query(), limit: PAGE, after: next }));
  if (wanted !== JSON.stringify(query())) return; // other jobs are asked for by now
  jobs = [...jobs, ...page.items];
  next = page.next;
  renderList();
}

function renderList() {
  const filtered = Object.values(query()).some(Boolean);
  render(
    jobs.length
      ? html`<table class="list">
            <caption class="unseen">Jobs, the newest first</caption>
            <thead><tr>${["State", "Kind", "Source", "Progress", "Submitted"].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
            <tbody>${repeat(jobs, (job) => job.id, row)}</tbody>
          </table>
          ${next ? html`<p class="buttons"><button type="button" @click=${shielded(more)}>Older jobs</button></p>` : nothing}`
      : html`<div class="empty"><p>${filtered ? "No job is like that." : "There are no jobs yet: segment a picture, or teach a word."}</p></div>`,
    element("list"),
  );
}

function row(job) {
  const show = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
    event.preventDefault();
    history.pushState(null, "", at(["jobs"], { job: job.id }));
    shielded(open)(job.id, true);
  };
  return html`<tr>
    <td data-label="State" class="fit"><span class=${stateClass(job.state)}>${job.state}</span></td>
    <td data-label="Kind" class="fit"><span>${KINDS[job.kind] ?? job.kind}</span></td>
    <th scope="row" data-label="Source" class="source"><a href=${at(["jobs"], { job: job.id })} @click=${show}><bdi>${job.source || job.id}</bdi></a></th>
    <td data-label="Progress"><span>${progressOf(job)}</span></td>
    <td data-label="Submitted" class="fit"><span>${time(job.created_at)}</span></td>
  </tr>`;
}

let following;

/** Show a job in detail and follow it to its end. */
async function open(id, isAsked = false) {
  following?.abort();
  const { signal } = (following = new AbortController());
  const place = element("job");
  place.hidden = !id;
  if (!id) return;
  let job = await getJson(at(["v1", "jobs", id]));
  if (signal.aborted) return;
  renderJob(job);
  if (isAsked) place.querySelector("h2").focus();
  if (!isOpen(job)) return;
  for await (const { state, progress } of followJob(job.id, signal)) {
    if (isOpen({ state }) && progress.failed === job.progress.failed) job = { ...job, state, progress };
    else job = await patiently(() => getJson(at(["v1", "jobs", job.id])), { signal }); // with errors and totals
    if (signal.aborted) return;
    renderJob(job);
  }
  if (signal.aborted) return;
  announce(`The job is ${job.state}`);
  await look();
}

async function cancel(job) {
  if (!(await confirmed("Cancel this job?", "What is done stays; what has not begun is left out.", "Cancel the job"))) return;
  await send("DELETE", at(["v1", "jobs", job.id]));
  await Promise.all([open(job.id), look()]);
}

async function retry(job) {
  await send("POST", at(["v1", "jobs", job.id, "retry"]));
  open(job.id).catch(showProblem);
  await look();
}

function close() {
  history.pushState(null, "", at(["jobs"]));
  shielded(open)(null);
  element("list").querySelector("a")?.focus();
}

function renderJob(job) {
  const { progress, errors, totals, parameters } = job;
  const facts = {
    ...Object.fromEntries(Object.entries(totals).map(([name, value]) => [name.replaceAll("_", " "), value.toLocaleString("en")])),
    ...(parameters.bank && { bank: parameters.bank }),
    priority: job.priority,
  };
  const categories = parameters.categories?.map((one) => one.name ?? one) ?? [];
  render(
    html`<div class="panel">
      <div class="head">
        <div class="grow">
          <h2 tabindex="-1"><bdi>${job.source || job.id}</bdi></h2>
          <span class="soft">${KINDS[job.kind] ?? job.kind} · job ${job.id} · ${time(job.created_at)}</span>
        </div>
        ${isOpen(job) ? html`<button type="button" @click=${shielded(() => cancel(job))}>Cancel</button>` : nothing}
        ${progress.failed && job.state !== "cancelled" ? html`<button type="button" @click=${shielded(() => retry(job))}>Try failed again</button>` : nothing}
        ${job.kind === "segment" ? html`<a class="button" href=${at([""], { job: job.id })}>Look at results</a>` : nothing}
        ${job.kind === "segment" && progress.done
          ? html`<button type="button" @click=${() => shielded(download)(at(["v1", "jobs", job.id, "results.zip"]), `${job.id}.zip`)}>Download zip</button>`
          : nothing}
        <button type="button" class="icon-button" aria-label="Close job" @click=${close}>✕</button>
      </div>
      <p><b class=${stateClass(job.state)}>${job.state}</b> ${progressOf(job)}</p>
      ${categories.length ? html`<p class="soft">Words: ${categories.map((name, n) => html`${n ? ", " : ""}<bdi>${name}</bdi>`)}</p>` : nothing}
      <dl class="facts">${Object.entries(facts).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      ${errors.length
        ? html`<h3>What failed</h3>
            <ul>${errors.map((error) => html`<li><bdi>${error.name}</bdi> <span class="soft">after ${counted(error.attempts, "attempt")}</span>:
              <span class="error-text">${error.error}</span></li>`)}</ul>
            ${progress.failed > errors.length ? html`<p class="soft">and ${progress.failed - errors.length} more</p>` : nothing}`
        : nothing}
    </div>`,
    element("job"),
  );
}

element("filter").addEventListener("submit", (event) => event.preventDefault());
element("filter").addEventListener("input", () => {
  jobs = [];
  shielded(look)();
});
const asLocation = () => shielded(open)(new URLSearchParams(location.search).get("job"));
addEventListener("popstate", asLocation);
shielded(look)();
asLocation();
