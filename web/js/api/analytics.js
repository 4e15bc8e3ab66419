/**
 * The calls for figures. Each answers `{rows}`; `file` is the address of the same as a file for spreadsheets.
 */

import { get } from "/web/js/api/request.js";

export const analytics = {
  read: (name, query, options) => get(`/v1/analytics/${name}`, { query, ...options }),
  file: (name, query) => {
    const asked = Object.entries({ ...query, format: "csv" }).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return `/v1/analytics/${name}?${new URLSearchParams(asked)}`;
  },
};
