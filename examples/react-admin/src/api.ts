/** Requests with the access token, which is renewed once for all that find it expired at the same time. */
import { HttpError } from "react-admin";

const server = import.meta.env.VITE_API ?? "http://localhost:8000";

export interface Session {
  accessToken: string;
  refreshToken: string;
  user: { id: number; name: string; avatar: string | null; can: string[] };
}

export function session(): Session | null {
  return JSON.parse(localStorage.getItem("session") ?? "null");
}

export function keep(value: Session | null) {
  if (value) localStorage.setItem("session", JSON.stringify(value));
  else localStorage.removeItem("session");
}

let renewal: Promise<Session> | undefined;

function renew(): Promise<Session> {
  renewal ??= send("POST", "/auth/refresh", { refreshToken: session()?.refreshToken })
    .then(({ data }) => (keep(data), data))
    .finally(() => (renewal = undefined));
  return renewal;
}

/** The reply's body. Raises HttpError, with the messages of the fields where react-admin looks for them. */
export async function ask(method: string, path: string, body?: object) {
  const token = session()?.accessToken;
  try {
    return await send(method, path, body);
  } catch (error) {
    if (!(error instanceof HttpError) || error.body.reason !== "expired_token") throw error;
    if (token === session()?.accessToken) await renew(); // else it was renewed while this request was under way
    return send(method, path, body);
  }
}

async function send(method: string, path: string, body?: object) {
  const headers: HeadersInit = { "Content-Type": "application/json", "Accept-Language": "en" };
  const token = session()?.accessToken;
  if (token) headers.Authorization = `Bearer ${token}`;
  const reply = await fetch(`${server}/api${path}`, { method, headers, body: body && JSON.stringify(body) });
  const json = await reply.json();
  if (reply.ok) return json;
  const fields = json.error.details.map((each: { field: string; message: string }) => [each.field, each.message]);
  throw new HttpError(json.message, reply.status, { reason: json.error.reason, errors: Object.fromEntries(fields) });
}
