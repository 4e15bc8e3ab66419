/**
 * The figures that the analytics page shows: what each asks for, by what it can be grouped, and how it is drawn. In one list.
 */

import { count, duration } from "/web/js/format.js";

const percent = (share) => `${(share * 100).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;
const FLOWS = [{ field: "received", name: "Received", tone: "main" }, { field: "sent", name: "Sent by people", tone: "second" }, { field: "auto", name: "Sent automatically", tone: "third" }];
const TIMES = [{ field: "p90_seconds", name: "90th percentile", tone: "third" }, { field: "median_seconds", name: "Median", tone: "main" }];
const WAITING = [{ field: "open", name: "Open", tone: "main" }, { field: "pending", name: "Pending", tone: "second" }, { field: "snoozed", name: "Snoozed", tone: "third" }];
const numbers = (series, print) => series.map(({ field, name }) => ({ field, name, print }));
const times = [{ field: "count", name: "Count", print: count }, { field: "median_seconds", name: "Median", print: duration }, { field: "p90_seconds", name: "90th percentile", print: duration }];
const BY_WHOM = [{ by: "agent", name: "by person" }, { by: "team", name: "by team" }, { by: "inbox", name: "by inbox" }];
const longest = (rows) => Math.max(1, ...rows.map((row) => row.median_seconds));

/** `groups` are offered in a select; `chart` is "columns" or "bars" for a group, chosen by whether it is days. */
export const FIGURES = [
  { id: "volume", title: "Mail", path: "volume", wide: true, groups: [{ by: "day", name: "by day" }, { by: "inbox", name: "by inbox" }, { by: "channel", name: "by channel" }, { by: "agent", name: "by person" }],
    series: FLOWS, print: count, columns: numbers(FLOWS, count), bar: (row, rows) => (row.received + row.sent) / Math.max(1, ...rows.map((one) => one.received + one.sent)), tone: () => "main" },
  { id: "busy", title: "When customers write", path: "volume", wide: true, groups: [{ by: "weekday_hour", name: "" }], heat: "received" },
  { id: "first-response", title: "First response", path: "durations", query: { measure: "first_response" }, groups: [{ by: "day", name: "by day" }, ...BY_WHOM], clocks: true, seconds: true, layered: true,
    series: TIMES, print: duration, columns: times, bar: (row, rows) => row.median_seconds / longest(rows), tone: () => "main" },
  { id: "resolution", title: "Resolution", path: "durations", query: { measure: "resolution" }, groups: [{ by: "day", name: "by day" }, ...BY_WHOM], seconds: true, layered: true,
    series: TIMES, print: duration, columns: times, bar: (row, rows) => row.median_seconds / longest(rows), tone: () => "main" },
  { id: "sla", title: "Promises kept", path: "sla", groups: [{ by: "target", name: "by target" }, ...BY_WHOM],
    columns: [{ field: "kept", name: "Kept", print: count }, { field: "breached", name: "Broken", print: count }, { field: "attainment", name: "Share", print: percent }],
    bar: (row) => row.attainment, tone: (row) => (row.attainment >= 0.9 ? "good" : row.attainment >= 0.75 ? "warn" : "bad") },
  { id: "load", title: "Who has how much", path: "load", groups: [{ by: null, name: "" }],
    columns: [{ field: "assigned", name: "Now", print: (value, row) => `${count(value)} of ${count(row.capacity)}` }, { field: "sent", name: "Answers", print: count }],
    bar: (row) => row.assigned / Math.max(1, row.capacity), tone: (row) => (row.assigned > row.capacity ? "bad" : row.assigned >= 0.8 * row.capacity ? "warn" : "good") },
  { id: "backlog", title: "What lay there each evening", path: "backlog", wide: true, groups: [{ by: null, name: "" }], series: WAITING, print: count, day: true, columns: [...numbers(WAITING, count), { field: "unassigned", name: "Of nobody", print: count }] },
];
