// Asking the HTTP API: JSON, files, and the events of a job; with the key of this tab where there is one.

const KEY = "freeda-key";

/** An answer that is an error: its status, and the one sentence that the server said. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** Called when the server asks for a key; the page shows where to enter it. */
let whenKeyIsNeeded = () => {};
export const onKeyNeeded = (callback) => (whenKeyIsNeeded = callback);

async function ask(path, { headers = {}, ...options } = {}) {
  const secret = key.get();
  const all = { ...headers, ...(secret && { Authorization: `Bearer ${secret}` }) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: all, credentials: "omit" }); // else browsers ask for a password
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "the server does not answer; is it running?");
  }
  if (answer.ok) return answer;
  let detail = `${answer.status} ${answer.statusText}`;
  try {
    detail = (await answer.json()).detail ?? detail;
  } catch {
    // whatever stands between us and the server has said it in its own way
  }
  if (answer.status === 401) whenKeyIsNeeded(detail);
  throw new Problem(answer.status, detail);
}

export const getJson = async (path, options) => (await ask(path, options)).json();
export const getBlob = async (path, options) => (await ask(path, options)).blob();
export const getBytes = async (path, options) => (await ask(path, options)).arrayBuffer();

/** Send a change; the answer as JSON, or null where there is none. */
export async function send(method, path, body, headers) {
  const isForm = body instanceof FormData || body === undefined;
  const answer = await ask(path, {
    method,
    body: isForm ? body : JSON.stringify(body),
    headers: { ...(!isForm && { "Content-Type": "application/json" }), ...headers },
  });
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** Put together the address of a resource from its parts, and a query from what is given. */
export function at(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(given.flatMap(([name, value]) => [value].flat().map((one) => [name, one])));
  return `/${parts.map(encodeURIComponent).join("/")}${given.length ? `?${search}` : ""}`;
}

/** Yield every entry of a list that comes in pages. */
export async function* allOf(parts, query, options) {
  let after = query.after;
  do {
    const page = await getJson(at(parts, { ...query, after }), options);
    yield* page.items;
    after = page.next;
  } while (after);
}

/** Save what is at an address as a file. A link would do, but sends no key. */
export async function download(path, name) {
  const link = document.createElement("a");
  link.download = name;
  if (key.get()) {
    link.href = URL.createObjectURL(await getBlob(path));
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } else {
    await ask(path, { method: "HEAD" }).catch((error) => {
      if (error.status !== 405) throw error;
    });
    link.href = path;
  }
  link.click();
}

/** Yield the fields of server-sent events as they come; what is cut off in a block is not an event. */
export async function* readEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let event = {};
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    text = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (Object.keys(event).length) yield event;
        event = {};
        continue;
      }
      const [, name, content] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (name === "data" && event.data !== undefined) event.data += `\n${content ?? ""}`;
      else if (name) event[name] = content ?? "";
    }
  }
}

/**
 * Yield how far a job is, whenever that changes, until it has ended or the signal is raised: {job, state, progress}.
 * A connection that breaks is made again.
 */
export async function* followJob(job, signal) {
  const path = at(["v1", "jobs", job, "events"], { progress_only: "true" });
  for (let pause = 500; !signal.aborted; pause = Math.min(2 * pause, 10_000)) {
    try {
      const answer = await ask(path, { headers: { Accept: "text/event-stream" }, signal, cache: "no-store" });
      for await (const event of readEvents(answer.body)) {
        pause = 500;
        if (event.data) yield JSON.parse(event.data);
        if (event.event === "end") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const passes = !(error instanceof Problem) || error.status === 0 || error.status === 503;
      if (!passes) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * Send files, telling how much has arrived.
 * @param {(share: number) => void} onProgress called with 0 to 1
 */
export function upload(path, form, onProgress, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (key.get()) request.setRequestHeader("Authorization", `Bearer ${key.get()}`);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new Problem(0, "the upload was cut off: the server does not answer, or refused it"));
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // as in ask
      }
      if (request.status < 400) return resolve(answer);
      const detail = answer.detail ?? `${request.status} ${request.statusText}`;
      if (request.status === 401) whenKeyIsNeeded(detail);
      return reject(new Problem(request.status, detail));
    };
    request.send(form);
  });
}
