/**
 * Loads every element and nothing else; the elements start themselves. An explicit list, in the order of the page.
 */

import "/web/js/elements/time-ago.js";
import "/web/js/elements/load-state.js";
import "/web/js/elements/menu-button.js";
import "/web/js/elements/toast-stack.js";
import "/web/js/elements/status-banner.js";
import "/web/js/elements/ask-dialog.js";
import "/web/js/elements/help-dialog.js";
import "/web/js/elements/timeline-dialog.js";
import "/web/js/elements/sign-in.js";
import "/web/js/elements/side-nav.js";
import "/web/js/elements/conversation-row.js";
import "/web/js/elements/conversation-list.js";
import "/web/js/elements/mail-frame.js";
import "/web/js/elements/attachment-list.js";
import "/web/js/elements/send-state.js";
import "/web/js/elements/message-card.js";
import "/web/js/elements/address-field.js";
import "/web/js/elements/rich-editor.js";
import "/web/js/elements/upload-tray.js";
import "/web/js/elements/reply-box.js";
import "/web/js/elements/conversation-header.js";
import "/web/js/elements/conversation-view.js";
import "/web/js/elements/inbox-list.js";
import "/web/js/elements/inbox-form.js";
import "/web/js/elements/inbox-checks.js";
import "/web/js/elements/inbox-access.js";
import "/web/js/elements/oauth-connect.js";
import "/web/js/elements/inbox-backfill.js";
import "/web/js/elements/inbox-ledger.js";
import "/web/js/elements/inbox-push.js";
import "/web/js/elements/inbox-page.js";
import "/web/js/elements/domain-record.js";
import "/web/js/elements/domains-page.js";
import "/web/js/elements/quarantine-page.js";
import "/web/js/elements/spam-page.js";
import "/web/js/elements/people-page.js";
import "/web/js/elements/balance-page.js";
import "/web/js/elements/suppressed-page.js";
import "/web/js/elements/reingest-change.js";
import "/web/js/elements/reingest-run.js";
import "/web/js/elements/reingest-page.js";
import "/web/js/elements/mail-app.js";
