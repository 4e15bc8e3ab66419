/**
 * Loads the elements of the first screen, the list; they start themselves. An explicit list, in the order of the page: every file here is one
 * more that the first conversation waits for. What the list does without stands in behind-the-list.js, pages in pages.js. The shell comes last.
 */

import "/web/js/elements/time-ago.js";
import "/web/js/elements/load-state.js";
import "/web/js/elements/toast-stack.js";
import "/web/js/elements/status-banner.js";
import "/web/js/elements/place-slot.js";
import "/web/js/elements/session-door.js";
import "/web/js/elements/side-nav.js";
import "/web/js/elements/conversation-row.js";
import "/web/js/elements/list-filters.js";
import "/web/js/elements/bulk-bar.js";
import "/web/js/elements/virtual-rows.js";
import "/web/js/elements/conversation-list.js";
import "/web/js/elements/desk-room.js";
import "/web/js/elements/page-room.js";

// Places: elements that areas hang into the list and beside it.
import "/web/js/elements/saved-views.js";
import "/web/js/elements/sla-chip.js";

import "/web/js/elements/mail-app.js";
