/**
 * What the form of an inbox sends: everything of a new one, of an edited one what changed. Leaves the fields to inbox-form.
 */

/** What can be told to the mail server, in words. */
export const WRITE_BACK = {
  read: "That a mail was read",
  archive: "That a conversation was archived: its mails go to the archive",
  closed: "That a conversation was closed: its mails go to the archive",
  spam: "That a conversation is spam: its mails go to Junk",
  trash: "That a conversation was thrown away: its mails go to the bin",
  labels: "Tags, as labels, categories or keywords",
};

function server(fields, name) {
  const settings = Object.fromEntries(["host", "port", "security", "username", "auth"].map((key) => [key, fields.value(`${name}.${key}`)]));
  const secret = fields.value(`${name}.password`);
  if (secret) settings[settings.auth === "xoauth2" ? "access_token" : "password"] = secret;
  return settings;
}

/** What is sent: of a new inbox everything, of one that was (`was`) what changed, so that an edit sends only that; a server is sent whole when any of it changed. */
export function inboxBody(fields, was) {
  const body = Object.fromEntries(["name", "display_name", "backfill_days", "undo_send_seconds"].map((key) => [key, fields.value(key)]));
  if (!was) return { ...body, email_address: fields.value("email_address"), imap: server(fields, "imap"), smtp: server(fields, "smtp") };
  body.send_policy = fields.value("send_policy");
  const changes = Object.fromEntries(Object.entries(body).filter(([key, value]) => value !== (was[key] ?? "")));
  const told = Object.keys(WRITE_BACK).filter((word) => fields.input(`write_back.${word}`)?.checked);
  if (told.sort().join() !== [...(was.write_back ?? [])].sort().join()) changes.write_back = told;
  for (const name of ["imap", "smtp"]) {
    if (!fields.has(`${name}.host`)) continue;
    const settings = server(fields, name);
    const kept = was.settings?.[name] ?? {};
    if (Object.entries(settings).some(([key, value]) => value !== kept[key])) changes[name] = settings;
  }
  const answer = { enabled: fields.value("auto_response.enabled"), subject: fields.value("auto_response.subject"), body: fields.value("auto_response.body") };
  const before = was.auto_response ?? {};
  if (Object.entries(answer).some(([key, value]) => value !== (before[key] ?? (key === "enabled" ? false : "")))) changes.auto_response = answer;
  return changes;
}
