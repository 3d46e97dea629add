/** HaloLight's lists and rows as react-admin asks for them. A resource is the last part of its path: `tasks`. */
import type { DataProvider, Identifier } from "react-admin";
import { ask } from "./api";

/** Resources whose rows can be deleted together. */
const BATCHES = ["users", "documents", "files"];

/** `page=1&pageSize=10&sort=-createdAt&status=done`; a filter without a value is left out. */
function query(pagination = { page: 1, perPage: 10 }, sort = { field: "id", order: "ASC" }, filter = {}) {
  const parameters = new URLSearchParams({
    page: `${pagination.page}`,
    pageSize: `${pagination.perPage}`, // at most 1,000, as an export asks for
    sort: `${sort.order === "DESC" ? "-" : ""}${sort.field}`,
  });
  for (const [name, value] of Object.entries(filter)) {
    if (value !== "" && value != null) parameters.set(name, String(value));
  }
  return parameters;
}

async function list(resource: string, ...page: Parameters<typeof query>) {
  const { data } = await ask("GET", `/${resource}?${query(...page)}`);
  return { data: data.items, total: data.total };
}

async function one(method: string, resource: string, id: Identifier, body?: object) {
  const { data } = await ask(method, `/${resource}/${id}`, body);
  return { data };
}

async function each(method: string, resource: string, ids: Identifier[], body?: object) {
  return Promise.all(ids.map((id) => one(method, resource, id, body)));
}

export const dataProvider: DataProvider = {
  getList: (resource, { pagination, sort, filter }) => list(resource, pagination, sort, filter),

  getOne: (resource, { id }) => one("GET", resource, id),

  async getMany(resource, { ids }) {
    const rows = await each("GET", resource, ids);
    return { data: rows.map(({ data }) => data) };
  },

  getManyReference: (resource, { target, id, pagination, sort, filter }) =>
    list(resource, pagination, sort, { ...filter, [target]: id }),

  async create(resource, { data }) {
    const reply = await ask("POST", `/${resource}`, data);
    return { data: reply.data };
  },

  // What did not change may be sent along: HaloLight writes the fields that differ.
  update: (resource, { id, data }) => one("PUT", resource, id, data),

  async updateMany(resource, { ids, data }) {
    await each("PUT", resource, ids, data);
    return { data: ids };
  },

  async delete(resource, { id, previousData }) {
    const reply = await ask("DELETE", `/${resource}/${id}`);
    return { data: previousData ?? reply.data };
  },

  async deleteMany(resource, { ids }) {
    if (BATCHES.includes(resource)) await ask("POST", `/${resource}/batch-delete`, { ids });
    else await each("DELETE", resource, ids);
    return { data: ids };
  },
};
