/** Who is logged in, and what they may do: react-admin hides the buttons and menus of everything else. */
import type { AuthProvider } from "react-admin";
import { ask, keep, session } from "./api";

/** What react-admin calls an action → what a permission calls it. */
const ACTIONS: Record<string, string> = { list: "view", show: "view", export: "view", edit: "update" };

export const authProvider: AuthProvider = {
  async login({ username, password }) {
    const { data } = await ask("POST", "/auth/login", { username, password });
    keep(data);
  },

  async logout() {
    const refreshToken = session()?.refreshToken;
    keep(null);
    // A session that has ended already needs no end.
    if (refreshToken) await ask("POST", "/auth/logout", { refreshToken }).catch(() => undefined);
  },

  async checkAuth() {
    if (!session()) throw new Error("Log in first");
  },

  // An expired token was renewed before this is asked, so any other 401 ends the session.
  async checkError(error) {
    if (error.status !== 401) return;
    keep(null);
    throw error;
  },

  async getIdentity() {
    const user = session()?.user;
    if (!user) throw new Error("Log in first");
    return { id: user.id, fullName: user.name, avatar: user.avatar ?? undefined };
  },

  async canAccess({ resource, action }) {
    return session()?.user.can.includes(`${resource}:${ACTIONS[action] ?? action}`) ?? false;
  },
};
