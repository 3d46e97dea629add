/** The client: types from the OpenAPI document, the access token in each request, and its renewal. */
import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

export const server = new URLSearchParams(location.search).get("api") ?? "http://localhost:8000";
export const api = createClient<paths>({ baseUrl: server });

let tokens: Pick<Schemas["Tokens"], "accessToken" | "refreshToken"> | undefined;
let renewal: Promise<boolean> | undefined;
/** A copy of each request that is under way, because the body of a request can be read only once. */
const copies = new Map<string, Request>();

export function authorization(): string {
  return `Bearer ${tokens?.accessToken ?? ""}`;
}

/** Log in. The reply is the error if that was refused. */
export async function logIn(email: string, password: string) {
  const { data, error } = await api.POST("/api/auth/login", { body: { email, password } });
  tokens = data?.data;
  return error;
}

/** Get new tokens instead of those that a request was `sent` with. All requests that wait for them share one renewal. */
export async function renew(sent: string | null): Promise<boolean> {
  if (sent !== authorization()) return tokens !== undefined; // it was renewed while the request was under way
  renewal ??= refresh().finally(() => (renewal = undefined));
  return renewal;
}

async function refresh(): Promise<boolean> {
  const { data } = await api.POST("/api/auth/refresh", { body: { refreshToken: tokens?.refreshToken ?? "" } });
  tokens = data?.data; // undefined: the session has ended, so the user logs in again
  return tokens !== undefined;
}

const session: Middleware = {
  onRequest({ request, schemaPath, id }) {
    if (tokens && !schemaPath.startsWith("/api/auth/refresh")) {
      request.headers.set("Authorization", authorization());
      copies.set(id, request.clone());
    }
    return request;
  },

  async onResponse({ response, id }) {
    const copy = copies.get(id);
    copies.delete(id);
    if (response.status !== 401 || !copy) return undefined;
    const body: Schemas["UnauthorizedError"] = await response.clone().json();
    if (body.error.reason !== "expired_token" || !(await renew(copy.headers.get("Authorization")))) return undefined;
    copy.headers.set("Authorization", authorization());
    return fetch(copy);
  },
};
api.use(session);
