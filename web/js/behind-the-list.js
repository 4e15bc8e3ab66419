/**
 * Loads what the first screen does without: the conversation, the dialogs, and elements that are hung into a place. Behind the list, or at once
 * when somebody opens a conversation or a dialog (loading.js). An explicit list; children stand above those who are made of them.
 */

import "/web/js/elements/menu-button.js";
import "/web/js/elements/ask-dialog.js";
import "/web/js/elements/help-dialog.js";
import "/web/js/elements/command-palette.js";
import "/web/js/elements/timeline-dialog.js";
import "/web/js/elements/sign-in.js";
import "/web/js/elements/set-password.js";
import "/web/js/elements/search-help.js";
import "/web/js/elements/mail-frame.js";
import "/web/js/elements/attachment-list.js";
import "/web/js/elements/send-state.js";
import "/web/js/elements/message-head.js";
import "/web/js/elements/message-card.js";
import "/web/js/elements/thread-hints.js";
import "/web/js/elements/message-thread.js";
import "/web/js/elements/address-field.js";
import "/web/js/elements/rich-editor.js";
import "/web/js/elements/upload-tray.js";
import "/web/js/elements/reply-people.js";
import "/web/js/elements/reply-notice.js";
import "/web/js/elements/reply-foot.js";
import "/web/js/elements/reply-form.js";
import "/web/js/elements/reply-box.js";
import "/web/js/elements/subject-line.js";
import "/web/js/elements/tag-picker.js";
import "/web/js/elements/conversation-fields.js";
import "/web/js/elements/conversation-header.js";
import "/web/js/elements/pane-divider.js";
import "/web/js/elements/details-panel.js";
import "/web/js/elements/conversation-view.js";

// Places: elements that areas hang into the desk.
import "/web/js/elements/snooze-menu.js";
import "/web/js/elements/snooze-chip.js";
import "/web/js/elements/snooze-line.js";
import "/web/js/elements/sla-panel.js";
import "/web/js/elements/presence-line.js";
import "/web/js/elements/mention-field.js";
import "/web/js/elements/note-writer.js";
import "/web/js/elements/note-card.js";
import "/web/js/elements/followers-panel.js";
import "/web/js/elements/assign-menu.js";
import "/web/js/elements/assignment-panel.js";
import "/web/js/elements/status-switch.js";
import "/web/js/elements/template-picker.js";
import "/web/js/elements/signature-line.js";
import "/web/js/elements/rules-panel.js";
import "/web/js/elements/notice-bell.js";
import "/web/js/elements/erase-button.js";
import "/web/js/elements/shape-menu.js";
import "/web/js/elements/topic-banner.js";
import "/web/js/elements/bulk-actions.js";
import "/web/js/elements/contact-panel.js";
