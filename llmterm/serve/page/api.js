// What the service is asked. The token is in a cookie that no script can read.

export class Problem extends Error {
  constructor(message, code, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

// Resolves to what is answered as JSON; rejects with a Problem, also where nobody answers.
export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem("the service does not answer", "unreachable", 0);
  }
  const value = await response.json().catch(() => null);
  if (!response.ok) {
    const error = value?.error ?? {};
    throw new Problem(error.message ?? `the service says ${response.status}`, error.code ?? "", response.status);
  }
  return value;
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);

export const turns = {
  begin: (wanted) => post("/v1/turns", wanted),
  show: (id) => get(`/v1/turns/${id}`),
  pause: (id, by) => post(`/v1/turns/${id}/pause`, { by }),
  resume: (id, how) => post(`/v1/turns/${id}/resume`, how),
  cancel: (id, by) => post(`/v1/turns/${id}/cancel`, { by }),
  edit: (id, text, by) => post(`/v1/turns/${id}/edit`, { text, by }),
};

export const sessions = {
  list: (words) => get(`/v1/sessions?limit=200${words ? `&q=${encodeURIComponent(words)}` : ""}`),
  show: (id) => get(`/v1/sessions/${id}`),
  rename: (id, title) => ask("PATCH", `/v1/sessions/${id}`, { title }),
  remove: (id) => ask("DELETE", `/v1/sessions/${id}`),
  versions: (id) => get(`/v1/sessions/${id}/versions`),
  // Back to before the question of that row.
  undo: (id, row) => post(`/v1/sessions/${id}/undo`, { row }),
  go: (id, row) => post(`/v1/sessions/${id}/switch`, { row }),
};

export const models = () => get("/v1/models");
