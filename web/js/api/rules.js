/**
 * The calls for routing rules: the list and its order, dry runs, and what rules did in a conversation.
 */

import { at, get, patch, post, put, remove } from "/web/js/api/request.js";

export const rules = {
  list: (options) => get("/v1/rules", options),
  get: (id, options) => get(`/v1/rules/${at(id)}`, options),
  add: (rule) => post("/v1/rules", rule),
  change: (id, changes) => patch(`/v1/rules/${at(id)}`, changes),
  remove: (id) => remove(`/v1/rules/${at(id)}`),
  order: (ids) => put("/v1/rules/order", { ids }),
  versions: (id, options) => get(`/v1/rules/${at(id)}/versions`, options),
  tryOut: (rule, days, id) => post("/v1/rules/dry-run", { rule, days, ...(id ? { rule_id: id } : {}) }),
  carryOn: (run) => post(`/v1/rules/dry-run/${at(run)}/continue`),
  explain: (conversation, options) => get(`/v1/conversations/${at(conversation)}/rules`, options),
};

/** What rules name: teams, calendars of business hours, templates, webhooks. A list that this person may not read is empty. */
export async function ruleNames(options) {
  const listed = async (path) => {
    try {
      return (await get(path, options)).items;
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return [];
    }
  };
  const [teams, calendars, templates, webhooks] = await Promise.all(["/v1/teams", "/v1/business-hours", "/v1/templates", "/v1/webhooks"].map(listed));
  return { teams, calendars, webhooks, templates: templates.filter((one) => !one.personal) };
}
