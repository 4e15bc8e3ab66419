/**
 * The words of the mailbox balance: what each figure of a sheet means, in the order in which the bar shows them, and why a gap was opened.
 */

/** `kind` decides the colour: in the ledger, not wanted for a reason, or missing. */
export const PARTS = [
  { key: "ingested", word: "taken in", kind: "have", text: "In a conversation, or applied as a report." },
  { key: "skipped", word: "copies", kind: "have", text: "Duplicates and copies of our own mail: kept once, as one message." },
  { key: "stored", word: "to be read", kind: "soon", text: "Stored, and read in a moment." },
  { key: "seen", word: "to be fetched again", kind: "soon", text: "Somebody asked to fetch it once more." },
  { key: "quarantined", word: "in quarantine", kind: "held", text: "Could not be fetched or read; the quarantine says why." },
  { key: "ahead", word: "on its way", kind: "soon", text: "Newer than the last look." },
  { key: "history_waiting", word: "history to come", kind: "later", text: "The history is being read and has not come there." },
  { key: "deleted", word: "marked as deleted", kind: "apart", text: "Still listed there, and deleted for everybody who reads it." },
  { key: "beyond_horizon", word: "older than wanted", kind: "apart", text: "Older than the days of history that this inbox brings in." },
  { key: "not_asked_for", word: "history not wanted", kind: "apart", text: "Lay there before the inbox was connected; no history was asked for, or it was ended." },
  { key: "missing", word: "missing", kind: "lost", text: "There is no reason why the ledger lacks them. They are being fetched." },
];

const CAUSES = {
  audit: "A balance sheet found mail that the ledger lacked",
  uidvalidity: "The server numbered the folder anew",
  lost_state: "The server or Mailroom came back from a backup, or the folder was away",
  reauth: "The inbox was signed in again after it could not be read",
  missed: "Notifications were missed",
  history_404: "The provider's history was gone",
  delta_410: "The provider's change link was gone",
};
export const causeWord = (cause) => CAUSES[cause] ?? String(cause ?? "").replaceAll("_", " ");

/** The share of a folder that each part has, those that are empty left out. A row without a mail (`extra`) is in no bar. */
export function shares(sheet) {
  const all = Math.max(1, sheet.at_provider);
  let extra = sheet.extra;
  return PARTS.map((part) => {
    // Rows without a mail stand in the ledger's states; the bar shows what lies at the provider.
    const taken = part.key === "ingested" ? Math.min(extra, sheet.ingested) : 0;
    extra -= taken;
    const amount = sheet[part.key] - taken;
    return { ...part, amount, share: amount / all };
  }).filter((part) => part.amount > 0);
}
