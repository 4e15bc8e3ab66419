/**
 * Why connecting a mailbox at Google or Microsoft did not work, in words, each with what to do. One place, so that the page after the
 * consent and the inbox's own page say the same.
 */

export const PROVIDERS = { gmail: "Google", graph: "Microsoft" };

const AGAIN = "Connect it again";
const OPERATOR = "Tell the operator of this installation";

/** reason: what happened, what to do. */
const REASONS = {
  not_signed_in: ["You were not signed in to Mailroom any more when you came back.", "Sign in, then connect the mailbox again."],
  not_allowed: ["Only administrators connect mailboxes.", "Ask an administrator."],
  state_unknown: ["This sign-in was begun in another browser or session.", "Begin it here."],
  state_used: ["This sign-in is older than ten minutes, or was used already.", "Begin again."],
  consent_refused: ["The consent was refused.", "Begin again and agree, or ask the organisation's administrator to."],
  provider_refused: ["The provider ended the sign-in with an error.", "Begin again; if it stays, look at the setup of the application."],
  scopes_missing: ["Not all permissions were given, so the mailbox would be of no use.", `${AGAIN} and tick every box.`],
  other_account: ["Another account signed in than the mailbox's own.", "Choose the account with the inbox's address. A shared mailbox is connected with “Another account opens this mailbox”."],
  address_taken: ["An inbox with this address is already read in another way.", "Remove that one first, or give another address."],
  inbox_gone: ["The inbox that was to be connected again does not exist any more.", "Add it as a new one."],
  mailbox_not_opened: ["The account may not open this mailbox, or there is none with this address.", "Check the address, and give the account full access to the mailbox in the Exchange admin center."],
  profile_refused: ["The provider refuses to say whose mailbox it is.", `${OPERATOR}: its mail API must be enabled for the application.`],
  no_refresh_token: ["The provider gave no lasting permission.", "Remove the application from the account's connections, then connect the mailbox again."],
  grant_revoked: ["The permission was withdrawn or has expired.", `${AGAIN}.`],
  grant_idle: ["Microsoft ended the permission because it was not used for 90 days.", `${AGAIN}.`],
  grant_expired: ["The permission has expired.", `${AGAIN}.`],
  password_reset: ["The account's password was changed, which ends every permission.", `${AGAIN}.`],
  consent_missing: ["The consent to the application is missing or was withdrawn.", `${AGAIN}, or let the organisation's administrator consent.`],
  sign_in_again: ["Microsoft wants a second factor.", `${AGAIN}.`],
  policy_blocks: ["A rule of the organisation blocks this application.", "Ask its administrator to allow it."],
  account_disabled: ["The account is disabled.", "Ask the organisation's administrator, then connect it again."],
  application_missing: ["This installation has no application at this provider.", `${OPERATOR}: client id and secret must be set.`],
  application_unknown: ["The provider does not know the application, or not its secret.", `${OPERATOR}: client id, secret and tenant must be compared with the console.`],
  application_deleted: ["The application's client was deleted at Google.", `${OPERATOR}.`],
  tenant_unknown: ["Microsoft does not know the tenant.", `${OPERATOR}.`],
  secret_wrong: ["Microsoft does not accept the client secret.", `${OPERATOR}: its value is needed, not its id.`],
  secret_expired: ["The client secret has expired.", `${OPERATOR}: a new one must be made in the app registration.`],
  redirect_mismatch: ["The address to come back to is not registered.", `${OPERATOR}: it must stand in the console to the letter.`],
  scopes_refused: ["The provider does not know a permission that is asked for.", `${OPERATOR}.`],
  sign_in_unavailable: ["The provider's sign-in does not work at the moment.", "Try again in a few minutes."],
  unreachable: ["The provider could not be reached.", "Try again in a few minutes."],
};

/** `{ text, remedy }` for a reason; an unknown one is named as it is. */
export function oauthWords(reason) {
  const [text, remedy] = REASONS[reason] ?? [`The mailbox was not connected (${reason}).`, "Try again; if it stays, look at the setup of the application."];
  return { text, remedy };
}

/** A known end of a permission, what to do before it. */
export const EXPIRY = {
  refresh_token: { word: "Permission ends", remedy: "Connect it again before that. An application that is published at Google has no such end." },
  unused: { word: "Ends if unused", remedy: "Renewed every hour while the inbox is synced; it has been paused for long." },
  client_secret: { word: "Client secret ends", remedy: "The operator makes a new one in the app registration before that." },
};

/** A permission's last word: what it is for, without the provider's address before it. */
export const scopeWord = (scope) => scope.replace(/^https:\/\/www\.googleapis\.com\/auth\//, "").replace(/^https:\/\/graph\.microsoft\.com\//i, "");
