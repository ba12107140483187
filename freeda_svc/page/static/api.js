// Asking the HTTP API: JSON, files, and the events of a job; with the key of this tab where there is one.

const KEY = "freeda-key";

/** An answer that is an error: its status, and the one sentence that the server said. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {{number: number, error: string}[]} leftOut what was wrong with each image, where all were refused
   */
  constructor(status, detail, leftOut = []) {
    super(detail);
    this.status = status;
    this.leftOut = leftOut;
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

/** Called when the server refuses the key: resolves to true once there is another one. */
let whenKeyIsNeeded = async () => false;
export const onKeyNeeded = (callback) => (whenKeyIsNeeded = callback);

/** Send a request; again where a new key was entered because the server refused the one that was sent. */
async function withKey(request) {
  for (;;) {
    const secret = key.get();
    try {
      return await request(secret ? { Authorization: `Bearer ${secret}` } : {});
    } catch (error) {
      if (error.status !== 401) throw error;
      if (key.get() === secret && !(await whenKeyIsNeeded(error.message))) throw error;
    }
  }
}

const ask = (path, { headers = {}, ...options } = {}) =>
  withKey(async (authorization) => {
    let answer;
    try {
      const all = { ...headers, ...authorization };
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
      // a proxy in front of the server answers in its own format
    }
    throw new Problem(answer.status, detail);
  });

/** Whether the same request may succeed in a moment: the server, or a part of it, does not answer. */
export const isPassing = (error) => error instanceof Problem && (error.status === 0 || error.status === 503);

const sleep = (milliseconds, signal) =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", resolve, { once: true });
  });

/**
 * Do something again, with growing pauses, for as long as the server does not answer.
 * @param {() => Promise} action may be repeated without harm
 * @param {{signal?: AbortSignal, times?: number, onWait?: () => void}} options times: tries at most; onWait: called
 *   before each pause
 */
export async function patiently(action, { signal, times = Infinity, onWait = () => {} } = {}) {
  for (let tried = 1, pause = 500; ; tried += 1, pause = Math.min(2 * pause, 10_000)) {
    try {
      return await action();
    } catch (error) {
      if (!isPassing(error) || tried >= times || signal?.aborted) throw error;
      onWait(error);
      await sleep(pause, signal);
    }
  }
}

/**
 * Tell the newest request of a kind from older ones, whose answers may come later and must not replace its answer.
 * @returns {() => () => boolean} to be called when a request is sent; what it returns says whether none was sent since
 */
export function newest() {
  let last = 0;
  return () => {
    const mine = (last += 1);
    return () => mine === last;
  };
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
    // an answer to HEAD has no sentence that says what is wrong
    await ask(path, { method: "HEAD" }).catch(async () => (await ask(path)).body.cancel());
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
      if (error instanceof Problem && !isPassing(error)) throw error; // all else is a connection that broke
    }
    await sleep(pause, signal);
  }
}

/**
 * Send files, reporting how much has been sent.
 * @param {(share: number) => void} onProgress called with 0 to 1
 */
export const upload = (path, form, onProgress, headers = {}) =>
  withKey(
    (authorization) =>
      new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        request.open("POST", path);
        for (const [name, value] of Object.entries({ ...headers, ...authorization })) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
        request.onerror = () => reject(new Problem(0, "the upload was cut off: the server does not answer, or refused it"));
        request.onload = () => {
          let answer = {};
          try {
            answer = JSON.parse(request.responseText);
          } catch {
            // as in ask
          }
          if (request.status < 400) resolve(answer);
          else reject(new Problem(request.status, answer.detail ?? `${request.status} ${request.statusText}`, answer.left_out));
        };
        request.send(form);
      }),
  );
